import pytest

from tests.cli.conftest import Run


@pytest.mark.parametrize(
    ("duration", "reason"),
    [
        ("soon", "must be a duration"),
        ("4999ms", "must be from 5s to 1h"),
        ("61m", "must be from 5s to 1h"),
    ],
)
async def test_a_duration_that_shows_nothing_is_wrong_usage(
    duration: str, reason: str, monitor: Run
) -> None:
    ended = await monitor("demo", "--duration", duration)

    assert ended.code == 2
    assert reason in ended.err
