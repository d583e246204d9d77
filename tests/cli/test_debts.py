from pathlib import Path

import pytest

from tests.cli.conftest import Run, both
from tests.storage.store import MINUTE, NOW, Store

pytestmark = pytest.mark.usefixtures("in_force")


@pytest.fixture
async def debts(store: Store) -> Store:
    """Owe three events to a receiver that the config has no longer."""
    await store.receivers("gone")
    await store.add("x")
    for minute in range(3):
        await store.tell("x", receivers=("gone",), at=NOW + minute * MINUTE)
    return store


@both
async def test_what_waits_for_a_receiver_that_left_is_moved_once_somebody_says_yes(
    monitor: Run, debts: Store
) -> None:
    refused = await monitor("clear", "gone", "--to", "crm", stdin="n\n")
    moved = await monitor("clear", "gone", "--to", "crm", stdin="y\n")
    again = await monitor("clear", "gone", "--to", "crm")

    assert refused.code == 1
    assert 'receiver "gone" is gone: 3 deliveries wait, the oldest since' in refused.out
    assert "Move them to crm? [y/N]" in refused.out
    assert (moved.code, moved.out.splitlines()[-1]) == (
        0,
        "3 moved to crm; a running daemon sends them within 2 s",
    )
    assert again.out == "nothing waits for gone: nothing to do\n"
    owed = await debts.rows("SELECT receiver, state FROM deliveries")
    assert [tuple(row) for row in owed] == [("crm", "pending")] * 3


@both
async def test_it_is_given_up_without_a_question_if_so_asked(monitor: Run, debts: Store) -> None:
    ended = await monitor("clear", "gone", "--drop", "--yes")

    assert (ended.code, ended.out.splitlines()[-1]) == (
        0,
        "3 given up; `monitor deliveries --receiver gone --state dead` lists them",
    )
    assert {row[0] for row in await debts.rows("SELECT state FROM deliveries")} == {"dead"}


@pytest.mark.usefixtures("debts")
async def test_check_config_tells_what_waits(monitor: Run, in_force: Path) -> None:
    ended = await monitor("check-config", str(in_force))

    assert ended.code == 0
    assert 'warning: receiver "gone" is gone: 3 deliveries wait, the oldest since' in ended.out
    assert "; `monitor clear gone --to OTHER` moves them, `--drop` gives them up" in ended.out


@pytest.mark.usefixtures("debts")
@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("gone",), 2, "give either --to RECEIVER or --drop"),
        (("gone", "--drop", "--to", "crm"), 2, "give either --to RECEIVER or --drop"),
        (("crm", "--drop"), 1, "what waits for it is sent; only a receiver that left"),
        (("gone", "--to", "crn"), 1, 'there is no receiver "crn"; did you mean "crm"?'),
        (("gonne", "--drop"), 1, 'there is no receiver "gonne"'),
    ],
)
async def test_what_makes_no_sense_is_refused(
    monitor: Run, arguments: tuple[str, ...], code: int, says: str
) -> None:
    ended = await monitor("clear", *arguments)

    assert ended.code == code
    assert says in ended.err


async def test_nobody_to_ask_is_a_no(monitor: Run, debts: Store) -> None:
    ended = await monitor("clear", "gone", "--drop", stdin="")

    assert ended.code == 1
    assert {row[0] for row in await debts.rows("SELECT state FROM deliveries")} == {"pending"}
