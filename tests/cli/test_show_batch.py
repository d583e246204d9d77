from datetime import timedelta

import pytest

from monitor.core.batch import Outcome, Phase, Reading
from monitor.core.delivery import VerdictKind
from tests.cli.conftest import Run
from tests.storage.store import MINUTE, NOW, Store, running

pytestmark = pytest.mark.usefixtures("in_force")

ENDED = Reading(
    status="executed",
    phase=Phase.ENDED,
    outcome=Outcome.COMPLETED,
    counts={"completed": 5, "busy": 2},
    valid_contacts=7,
    total_contacts=11,
    name="a[/b].csv \x1b[31m",
)


async def live(store: Store) -> None:
    """Let a batch run and end, with all that hangs on it."""
    await store.add("x", labels={"team": "collections"})
    await store.receivers("crm")
    await store.tell("x", reading=running(calls=7, valid_contacts=7))
    await store.tell("x", reading=ENDED, at=NOW + MINUTE)


async def test_show_tells_all_of_a_batch(monitor: Run, store: Store) -> None:
    await live(store)

    shown = (await monitor("show", "bolna", "x")).out

    for fact in (
        "bolna x\n",
        "name         a[/b].csv \ufffd[31m",
        "phase        ended, completed, settled 2026-01-29 08:32:00 UTC",
        "status       executed",
        "████████████████████████  100%  7 finished, 0 open of 7",
        "calls        5 completed, 2 busy",
        "contacts     7 valid, 11 in all",
        "labels       team=collections  env=prod",
        "origin       added",
        "last poll    2026-01-29 08:32:00 UTC",
        "Snapshots, the newest first",
        "Events, the newest first",
        "batch.completed",
        "running -> executed",
        "Deliveries pending",
        "pending, due 2026-01-29 08:31:00 UTC",
        "pending, behind an earlier one",
    ):
        assert fact in shown
    assert all(len(line) <= 80 for line in shown.splitlines())


async def test_json_has_snapshots_events_and_pending_deliveries(monitor: Run, store: Store) -> None:
    await live(store)

    batch = (await monitor("show", "bolna", "x", "-o", "json")).json

    assert batch["settled"] is True
    assert [snapshot["number"] for snapshot in batch["snapshots"]] == [2, 1]
    assert batch["snapshots"][1] == {
        "number": 1,
        "at": "2026-01-29T08:31:00.000Z",
        "status": "running",
        "phase": "running",
        "counts": {"ringing": 7},
        "open": 7,
        "total_contacts": None,
        "valid_contacts": 7,
    }
    assert [event["data"]["sequence"] for event in batch["events"]] == [4, 3, 2, 1]
    assert [delivery["sequence"] for delivery in batch["pending_deliveries"]] == [1, 2, 3, 4]


async def test_the_limit_is_for_snapshots_and_for_events(monitor: Run, store: Store) -> None:
    await live(store)

    batch = (await monitor("show", "bolna", "x", "-o", "json", "--limit", "1")).json

    assert len(batch["snapshots"]) == len(batch["events"]) == 1


async def test_delivered_ones_are_not_pending(monitor: Run, store: Store) -> None:
    await store.add("x")
    await store.tell("x")
    await store.settle(*await store.take(), kind=VerdictKind.DELIVERED)

    batch = (await monitor("show", "bolna", "x", "-o", "json")).json

    assert batch["pending_deliveries"] == []


async def test_a_removed_batch_is_shown_too(monitor: Run, store: Store) -> None:
    await live(store)
    await monitor("remove", "bolna", "x")

    shown = (await monitor("show", "bolna", "x")).out

    assert "removed; `monitor add` watches it again" in shown
    assert (await monitor("show", "bolna", "x", "-o", "json")).json["polled"] == "removed"


async def test_a_batch_that_was_never_read_has_little_to_show(monitor: Run, store: Store) -> None:
    await store.add("x", at=NOW + timedelta(hours=1))

    shown = (await monitor("show", "bolna", "x")).out

    assert "phase      not read yet" in shown
    assert "last poll  none yet" in shown
    assert "next poll  2026-01-29 09:31:00 UTC" in shown
    assert "Snapshots" not in shown


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("bolna", "bolna has no batch 'nine': `monitor list 'source = bolna'` shows those it has"),
        ("left", "left has no batch 'nine'"),
        ("bolnaa", "there is no source 'bolnaa'; did you mean \"bolna\"?"),
    ],
)
async def test_what_is_not_there_is_named(
    source: str, reason: str, monitor: Run, store: Store
) -> None:
    await store.add("x", source="left")

    ended = await monitor("show", source, "nine")

    assert ended.code == 1
    assert reason in ended.err
