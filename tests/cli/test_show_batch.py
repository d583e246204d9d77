from datetime import UTC, datetime, timedelta

import pytest

from monitor.cli import show_batch
from monitor.core.batch import Outcome, Phase, Reading
from monitor.core.delivery import VerdictKind
from monitor.core.schedule import Schedule, Slot
from monitor.facts import batch_page
from monitor.storage.instances import touch_instance
from tests.cli.conftest import Run, both, fail_source
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


async def test_show_tells_all_of_a_batch(
    monitor: Run, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await live(store)

    narrow = (await monitor("show", "bolna", "x")).out
    monkeypatch.setenv("COLUMNS", "120")
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
    assert all(len(line) <= 80 for line in narrow.splitlines())


@both
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


@both
async def test_the_limit_is_for_snapshots_and_for_events(monitor: Run, store: Store) -> None:
    await live(store)

    batch = (await monitor("show", "bolna", "x", "-o", "json", "--limit", "1")).json
    page = (await monitor("show", "bolna", "x", "--limit", "1")).out
    whole = (await monitor("show", "bolna", "x", "--limit", "4")).out

    assert len(batch["snapshots"]) == len(batch["events"]) == 1
    assert (batch["more_snapshots"], batch["more_events"]) == (True, True)
    assert "Snapshots, the newest 1; --limit N shows more" in page
    assert "Events, the newest 1; --limit N shows more" in page
    assert "shows more" not in whole


@both
async def test_delivered_ones_are_not_pending(monitor: Run, store: Store) -> None:
    await store.add("x")
    await store.tell("x")
    await store.settle(*await store.take(), kind=VerdictKind.DELIVERED)

    batch = (await monitor("show", "bolna", "x", "-o", "json")).json

    assert batch["pending_deliveries"] == []


async def test_each_event_says_how_it_fares_at_each_receiver(
    monitor: Run, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    await store.add("x")
    await store.receivers("crm", "ops")
    await store.tell("x", receivers=("crm", "ops", "left"))
    await store.settle(*await store.take(), at=NOW + timedelta(milliseconds=200))
    await store.settle(*await store.take("ops"), kind=VerdictKind.DEAD)

    shown = (await monitor("show", "bolna", "x")).out
    batch = (await monitor("show", "bolna", "x", "-o", "json")).json

    assert "crm 200 ms, ops dead, left not configured" in shown
    assert [delivery["state"] for delivery in batch["deliveries"]] == [
        *("delivered", "dead", "pending")
    ]
    assert [delivery["receiver"] for delivery in batch["pending_deliveries"]] == ["left"]


@pytest.mark.usefixtures("daemon")
async def test_a_running_batch_has_a_pace_and_an_end(monitor: Run, store: Store) -> None:
    start = datetime.now(UTC) - timedelta(minutes=3)
    await store.add("x", at=start)
    for number in range(3):
        counts = {"completed": 20 * number, "ringing": 100 - 20 * number}
        shown = running(counts=counts, open_calls=counts["ringing"], valid_contacts=100)
        await store.tell("x", reading=shown, at=start + number * MINUTE)

    page = (await monitor("show", "bolna", "x")).out
    batch = (await monitor("show", "bolna", "x", "-o", "json")).json

    assert "pace         20 calls/min, ends about " in page
    assert batch["forecast"]["calls_per_minute"] == 20
    assert batch["forecast"]["ends_at"].endswith("Z")


async def test_hours_are_shown(monitor: Run, store: Store) -> None:
    noon = Schedule(zone="UTC", slots=tuple(Slot(day=n, start=0, end=1440) for n in range(7)))
    await store.add("x")
    await store.tell("x", reading=running(schedule=noon))

    assert "hours        Mon-Sun 00:00-24:00, UTC " in (await monitor("show", "bolna", "x")).out


async def test_a_batch_that_stalls_says_since_when(
    monitor: Run, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    still = running(counts={"ringing": 2}, open_calls=2, live_calls=2)
    await store.add("x")
    await store.tell("x", reading=still, at=NOW)
    await store.tell("x", reading=still, at=NOW + 25 * MINUTE)

    page = (await monitor("show", "bolna", "x")).out
    batch = (await monitor("show", "bolna", "x", "-o", "json")).json

    assert "phase        running, stalled since 2026-01-29 08:31:00 UTC" in page
    assert "no move for 25 min, 0%" in page
    assert batch["stalled_since"] == "2026-01-29T08:31:00.000Z"


async def test_a_batch_that_ended_has_no_forecast_but_a_timeline(
    monitor: Run, store: Store
) -> None:
    await live(store)

    page = (await monitor("show", "bolna", "x")).out
    batch = (await monitor("show", "bolna", "x", "-o", "json")).json

    assert batch["forecast"] is None
    assert "Timeline: █ finished  ░ open calls" in page
    assert "7 " + "░" * 77 + "█" in page
    assert "running" + " " * 63 + "executed" in page


async def test_a_removed_batch_is_shown_too(monitor: Run, store: Store) -> None:
    await live(store)
    await monitor("remove", "bolna", "x")

    shown = (await monitor("show", "bolna", "x")).out

    assert "removed; `monitor add` watches it again" in shown
    assert (await monitor("show", "bolna", "x", "-o", "json")).json["polled"] == "removed"


async def test_a_failing_source_is_told_with_what_to_do_and_when_it_is_tried(
    monitor: Run, store: Store
) -> None:
    await store.add("x", at=NOW)
    await fail_source(store, blocked_until=NOW + MINUTE)

    shown = " ".join((await monitor("show", "bolna", "x")).out.split())
    batch = (await monitor("show", "bolna", "x", "-o", "json")).json

    assert (
        "source failing since 2026-01-29 08:31:00 UTC: 401, the key is refused: check api_key"
    ) in shown
    assert "next poll 2026-01-29 08:32:00 UTC at the earliest: a failing source is" in shown
    assert batch["next_poll_at"] == "2026-01-29T08:32:00.000Z"


async def test_that_nobody_reads_it_is_told(monitor: Run, store: Store) -> None:
    await store.add("x")

    gone = (await monitor("show", "bolna", "x")).err
    await touch_instance(store.database, "one", now=datetime.now(UTC))
    alive = (await monitor("show", "bolna", "x")).err

    assert gone == "no daemon is alive: `monitor run` starts one\n"
    assert alive == ""


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
        ("bolna", "bolna has no batch 'nine': `monitor add bolna ID` watches one, `monitor list"),
        ("left", "left has no batch 'nine': `monitor list 'source = left'` shows those it has"),
        ("bolnaa", 'there is no source "bolnaa"; did you mean "bolna"?'),
    ],
)
async def test_what_is_not_there_is_named(
    source: str, reason: str, monitor: Run, store: Store
) -> None:
    await store.add("x", source="left")

    ended = await monitor("show", source, "nine")

    assert ended.code == 1
    assert reason in ended.err


async def test_a_beginning_that_is_too_short_is_told_how_long_one_is(
    monitor: Run, store: Store
) -> None:
    await store.add("3c90c3cc0d44")

    ended = await monitor("show", "bolna", "3c9")

    assert "no batch '3c9' (the beginning of an id needs 4 characters): " in ended.err


async def test_a_timeline_of_the_newest_snapshots_alone_says_so(
    monitor: Run, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_page, "ENOUGH", 2)
    monkeypatch.setattr(show_batch, "ENOUGH", 2)
    await live(store)
    await store.tell("x", reading=running(calls=9), at=NOW + 2 * MINUTE)

    shown = (await monitor("show", "bolna", "x", "-n", "1")).out

    assert "Timeline: █ finished  ░ open calls, of the newest 2 snapshots" in shown
