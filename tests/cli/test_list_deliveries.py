from datetime import UTC, datetime, timedelta

import pytest

from monitor.core.delivery import VerdictKind
from monitor.core.pause import Hold
from monitor.storage.receivers import hold_receiver
from tests.cli.conftest import Run, both
from tests.consumer import Consumer
from tests.storage.store import MINUTE, NOW, Store

pytestmark = pytest.mark.usefixtures("in_force")


async def live(store: Store) -> None:
    """Leave one delivered, one dead and one pending."""
    await store.receivers("crm")
    for batch_id, kind in (("a", VerdictKind.DELIVERED), ("b", VerdictKind.DEAD)):
        await store.add(batch_id)
        await store.tell(batch_id)
        await store.settle(*await store.take(), kind=kind, status_code=410)
    await store.add("c")
    await store.tell("c")


@both
async def test_json_tells_everything_of_a_delivery(monitor: Run, store: Store) -> None:
    await live(store)

    listed = (await monitor("deliveries", "-o", "json")).json

    event = await store.value("SELECT id FROM events ORDER BY at, id LIMIT 1 OFFSET 0")
    assert event in {delivery["event"] for delivery in listed}
    pending, dead, delivered = listed
    assert [one["state"] for one in (pending, dead, delivered)] == ["pending", "dead", "delivered"]
    assert pending | {"event": ""} == {
        "id": 3,
        "event": "",
        "type": "batch.first_seen",
        "receiver": "crm",
        "subject": "c",
        "subject_kind": "batch",
        "source": "bolna",
        "sequence": 1,
        "state": "pending",
        "attempts": 0,
        "enqueued_at": "2026-01-29T08:31:00.000Z",
        "due_at": "2026-01-29T08:31:00.000Z",
        "delivered_at": None,
        "waits_for": "due",
        "held_until": None,
    }
    assert delivered["delivered_at"] == "2026-01-29T08:31:00.000Z"
    assert (dead["due_at"], dead["attempts"]) == (None, 1)


async def test_a_table_fits_80_columns_and_says_what_to_do_about_the_dead(
    monitor: Run, store: Store
) -> None:
    await live(store)

    shown = (await monitor("deliveries")).out

    assert all(len(line) <= 80 for line in shown.splitlines())
    assert "dead: no more attempts; `monitor delivery ID` says why" in shown


@pytest.mark.parametrize(
    ("arguments", "subjects"),
    [
        (["--state", "dead"], ["b"]),
        (["--receiver", "crm"], ["c", "b", "a"]),
        (["--receiver", "ops"], []),
        (["--state", "pending", "--receiver", "crm"], ["c"]),
        (["--limit", "2"], ["c", "b"]),
    ],
)
@both
async def test_states_and_receivers_choose_deliveries(
    arguments: list[str], subjects: list[str], monitor: Run, store: Store
) -> None:
    await live(store)

    listed = (await monitor("deliveries", *arguments, "-o", "json")).json

    assert [delivery["subject"] for delivery in listed] == subjects


async def test_a_pending_delivery_says_what_it_waits_for(
    monitor: Run, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    await store.receivers("crm", "left")
    await store.add("x")
    await store.tell("x", receivers=("crm", "left"))
    await store.tell("x", receivers=("crm",), at=NOW + MINUTE)

    before = (await monitor("deliveries", "-o", "json")).json
    hold = Hold(since=NOW, until=NOW + timedelta(minutes=5), step=1)
    await hold_receiver(store.database, "crm", hold)
    held = (await monitor("deliveries", "-o", "json", "--receiver", "crm")).json
    table = (await monitor("deliveries")).out
    await store.take(at=datetime.now(UTC), limit=1)
    taken = (await monitor("deliveries")).out

    assert [one["waits_for"] for one in before] == ["lane", "no receiver", "due"]
    assert [one["waits_for"] for one in held] == ["hold", "hold"]
    assert held[0]["held_until"] == "2026-01-29T08:36:00.000Z"
    assert "held until 2026-01-29 08:36:00 UTC" in table
    assert "no receiver" in table
    assert "being sent" in taken


async def test_a_test_that_failed_is_marked_and_no_redelivery_advised(
    monitor: Run, consumer: Consumer, store: Store
) -> None:
    consumer.status = 500
    await monitor("test", "crm")

    shown = (await monitor("deliveries", "--state", "dead", "-o", "wide")).out

    assert "a test, not sent again" in " ".join(shown.split())
    assert "redeliver" not in shown


async def test_that_nobody_sends_what_is_pending_is_told(monitor: Run, store: Store) -> None:
    await live(store)

    pending = (await monitor("deliveries", "--state", "pending")).err
    dead = (await monitor("deliveries", "--state", "dead")).err

    assert pending == "no daemon is alive: `monitor run` starts one\n"
    assert dead == ""


@both
async def test_the_table_has_the_newest_100(monitor: Run, store: Store) -> None:
    ids = [f"x{number}" for number in range(1100)]
    await store.add(*ids)
    await store.tell(*ids)

    shown = (await monitor("deliveries")).out
    listed = (await monitor("deliveries", "-o", "json")).json

    assert shown.count("batch.first_seen") == 100
    assert "the newest 100; --limit N shows more" in shown
    assert len({delivery["id"] for delivery in listed}) == len(listed) == 1100


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ([], "no deliveries yet: `monitor test RECEIVER` sends a first one"),
        (["--state", "dead"], "no such deliveries; `monitor deliveries` shows all"),
    ],
)
async def test_an_empty_list_says_what_to_do_next(
    arguments: list[str], hint: str, monitor: Run, store: Store
) -> None:
    assert hint in (await monitor("deliveries", *arguments)).out
    assert await store.rows("SELECT 1 FROM deliveries") == []


async def test_a_receiver_that_nobody_knows_is_named(monitor: Run, store: Store) -> None:
    await store.receivers("left")

    unknown = await monitor("deliveries", "--receiver", "cmr")
    left = await monitor("deliveries", "--receiver", "left")

    assert unknown.code == 1
    assert unknown.err.startswith('there is no receiver "cmr"; did you mean "crm"?')
    assert left.code == 0
