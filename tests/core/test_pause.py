from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from monitor.core.errors import PollError
from monitor.core.failure import FailureKind
from monitor.core.pause import blocked_until
from monitor.core.source import Health, HealthChange, StreakKind

NOW = datetime(2026, 1, 29, 8, 30, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
FREE = None
WELL = Health()
UNWELL = Health(failing_since=NOW - HOUR)
SERVER_ERROR = PollError(FailureKind.SERVER_ERROR, 500)


def limited(retry_after: timedelta | None) -> PollError:
    return PollError(FailureKind.RATE_LIMITED, 429, retry_after)


def pause(
    current: datetime | None = FREE,
    *,
    health: Health = WELL,
    change: HealthChange | None = None,
    failure: PollError | None = None,
    probe: bool = False,
) -> datetime | None:
    return blocked_until(
        current, health=health, change=change, failure=failure, probe=probe, at=NOW
    )


def test_a_healthy_account_is_not_paused() -> None:
    assert pause() is FREE
    assert pause(failure=SERVER_ERROR) is FREE


def test_an_account_that_begins_to_fail_is_tried_again_after_a_minute() -> None:
    assert pause(health=UNWELL, change=HealthChange.FAILING, failure=SERVER_ERROR) == NOW + MINUTE
    assert (
        pause(NOW + HOUR, health=UNWELL, change=HealthChange.FAILING, failure=SERVER_ERROR)
        == NOW + MINUTE
    )


def test_a_failing_account_is_probed_once_a_minute() -> None:
    assert pause(NOW, health=UNWELL, failure=SERVER_ERROR, probe=True) == NOW + MINUTE


def test_polls_that_were_under_way_when_it_began_to_fail_do_not_move_the_probe() -> None:
    due = NOW + 20 * SECOND

    assert pause(due, health=UNWELL, failure=SERVER_ERROR) == due


def test_a_failing_account_without_a_pause_gets_one() -> None:
    assert pause(health=UNWELL, failure=SERVER_ERROR) == NOW + MINUTE


def test_a_failing_account_that_asks_for_a_longer_wait_gets_it() -> None:
    found = pause(NOW, health=UNWELL, failure=limited(5 * MINUTE), probe=True)

    assert found == NOW + 5 * MINUTE


@pytest.mark.parametrize("probe", [False, True])
def test_a_recovery_ends_the_pause(probe: bool) -> None:
    assert pause(NOW + MINUTE, change=HealthChange.RECOVERED, probe=probe) is FREE


@pytest.mark.parametrize(
    ("asked", "wait"),
    [
        (None, MINUTE),
        (7 * SECOND, 7 * SECOND),
        (timedelta(), MINUTE),
        (-HOUR, MINUTE),
        (24 * HOUR, HOUR),
    ],
)
def test_a_429_pauses_the_account_for_what_it_asks_at_most_an_hour_else_a_minute(
    asked: timedelta | None, wait: timedelta
) -> None:
    assert pause(failure=limited(asked)) == NOW + wait


def put_off(retry_after: timedelta | None) -> PollError:
    return PollError(FailureKind.SERVER_ERROR, 503, retry_after)


@pytest.mark.parametrize(
    ("polls", "until"), [(0, FREE), (2, FREE), (3, NOW + 30 * SECOND), (9, NOW + 30 * SECOND)]
)
def test_5xx_that_ask_for_a_wait_three_times_in_a_row_pause_the_account(
    polls: int, until: datetime | None
) -> None:
    assert pause(health=replace(WELL, put_off=polls), failure=put_off(30 * SECOND)) == until


def test_a_failing_account_whose_5xx_asks_for_longer_than_a_minute_gets_it() -> None:
    assert pause(NOW, health=UNWELL, failure=put_off(HOUR), probe=True) == NOW + HOUR


def test_a_429_does_not_shorten_a_pause() -> None:
    assert pause(NOW + HOUR, failure=limited(SECOND)) == NOW + HOUR


@pytest.mark.parametrize("failure", [None, SERVER_ERROR])
def test_only_the_probe_ends_a_pause(failure: PollError | None) -> None:
    assert pause(NOW + MINUTE, failure=failure) == NOW + MINUTE
    assert pause(NOW, failure=failure, probe=True) is FREE


def test_a_suspected_account_pauses_until_one_probe_has_told() -> None:
    suspected = Health(
        streak_kind=StreakKind.PASSING, streak_polls=5, streak_since=NOW, suspected=True
    )

    assert pause(failure=SERVER_ERROR, health=suspected) == NOW
    assert pause(NOW, failure=SERVER_ERROR, health=suspected) == NOW
    assert pause(NOW, failure=SERVER_ERROR, health=suspected, probe=True) is FREE
