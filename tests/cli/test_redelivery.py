from datetime import UTC, datetime, timedelta

import pytest

from monitor.core.delivery import VerdictKind
from monitor.storage.instances import touch_instance
from tests.cli.conftest import Run, both
from tests.consumer import Consumer
from tests.storage.store import MINUTE, NOW, Store

pytestmark = pytest.mark.usefixtures("in_force")


async def tell(store: Store, times: int, *, kind: VerdictKind) -> None:
    """Let a batch tell so many events to crm, all settled the same way."""
    await store.receivers("crm")
    await store.add("x")
    for minute in range(times):
        at = NOW + minute * MINUTE
        await store.tell("x", at=at)
        await store.settle(*await store.take(at=at), kind=kind, at=at, status_code=400)


@both
async def test_a_dead_delivery_is_owed_anew(monitor: Run, store: Store) -> None:
    await tell(store, 1, kind=VerdictKind.DEAD)
    before = datetime.now(UTC)

    ended = await monitor("redeliver", "1")

    assert ended.code == 0
    assert ended.out.startswith("1 delivery is owed again")
    (delivery,) = (await monitor("deliveries", "-o", "json")).json
    assert delivery["state"] == "pending"
    assert delivery["attempts"] == 0
    assert delivery["delivered_at"] is None
    assert datetime.fromisoformat(delivery["enqueued_at"]) >= before - timedelta(milliseconds=1)
    (claimed,) = await store.take(at=datetime.now(UTC) + MINUTE)
    assert claimed.event_id == delivery["event"]
    assert len((await monitor("delivery", "1", "-o", "json")).json["tries"]) == 1


@both
async def test_an_event_stands_for_all_its_deliveries(monitor: Run, store: Store) -> None:
    await store.receivers("crm", "ops")
    await store.add("x")
    await store.tell("x", receivers=("crm", "ops"))
    for receiver in ("crm", "ops"):
        await store.settle(*await store.take(receiver), kind=VerdictKind.DELIVERED)
    event = await store.value("SELECT id FROM events")

    ended = await monitor("redeliver", event, "1", event[:12].lower())

    assert ended.out.startswith("2 deliveries are owed again")


@both
async def test_lanes_stay_in_order(monitor: Run, store: Store) -> None:
    await tell(store, 3, kind=VerdictKind.DEAD)
    await store.tell("x", at=NOW + 5 * MINUTE)

    await monitor("redeliver", "3", "1", "2")

    order = []
    later = datetime.now(UTC)
    while taken := await store.take(at=later):
        (one,) = taken
        order.append(one.sequence)
        await store.settle(one, at=later)
        later += MINUTE
    assert order == [4, 1, 2, 3]


@both
async def test_pending_ones_are_left_alone(monitor: Run, store: Store) -> None:
    await store.add("x")
    await store.tell("x")
    before = await store.rows("SELECT * FROM deliveries")

    ended = await monitor("redeliver", "1")

    assert ended.code == 0
    assert ended.out == "1 delivery is pending and due already, left alone: 1\n"
    assert await store.rows("SELECT * FROM deliveries") == before


async def test_that_nobody_sends_them_is_told(monitor: Run, store: Store) -> None:
    await store.add("x")
    await store.tell("x")

    gone = await monitor("redeliver", "1")
    await touch_instance(store.database, "one", now=datetime.now(UTC))
    alive = await monitor("redeliver", "1")

    assert gone.err == "no daemon is alive: `monitor run` starts one\n"
    assert alive.err == ""


@both
async def test_a_pending_one_that_waits_for_its_next_try_is_due_at_once(
    monitor: Run, store: Store
) -> None:
    await store.add("x")
    await store.tell("x")
    await store.run("UPDATE deliveries SET due_at = :later, attempts = 3", later=2**45)

    ended = await monitor("redeliver", "--receiver", "crm", "--state", "pending")

    assert ended.code == 0
    assert ended.out.startswith("1 delivery is owed again")
    assert await store.value("SELECT attempts FROM deliveries") == 3
    assert await store.value("SELECT due_at FROM deliveries") < 2**45


async def test_unknown_ids_are_named_after_the_others_were_done(monitor: Run, store: Store) -> None:
    await tell(store, 1, kind=VerdictKind.DEAD)

    ended = await monitor("redeliver", "1", "99", "evt_NOBODY", "\udcff")

    assert ended.code == 1
    assert ended.out.startswith("1 delivery is owed again")
    assert "no delivery or event with deliveries is called '99', " in ended.err
    assert "'evt_NOBODY'" in ended.err
    assert "`monitor deliveries` shows those there are" in ended.err


@pytest.mark.parametrize(
    ("arguments", "owed"),
    [
        ([], {1, 2}),
        (["--state", "dead"], {1, 2}),
        (["--since", "1h"], {2}),
        (["--state", "delivered"], {3}),
        (["--state", "delivered", "--since", "1ms"], set()),
    ],
)
@both
async def test_a_receivers_deliveries_are_chosen_by_state_and_time(
    arguments: list[str], owed: set[int], monitor: Run, store: Store
) -> None:
    now = datetime.now(UTC)
    await store.receivers("crm")
    for batch_id, hours, kind in (
        ("a", 3, VerdictKind.DEAD),
        ("b", 0.5, VerdictKind.DEAD),
        ("c", 2, VerdictKind.DELIVERED),
    ):
        await store.add(batch_id)
        at = now - timedelta(hours=hours)
        await store.tell(batch_id, at=at)
        await store.settle(*await store.take(at=at), kind=kind, at=at)

    ended = await monitor("redeliver", "--receiver", "crm", *arguments)

    pending = await store.rows("SELECT id FROM deliveries WHERE state = 'pending'")
    assert ended.code == 0
    assert {row[0] for row in pending} == owed
    assert ("nothing to do" in ended.out) is (not owed)


@both
async def test_hundreds_go_in_one_command(monitor: Run, store: Store) -> None:
    ids = [f"x{number}" for number in range(1100)]
    await store.receivers("crm")
    await store.add(*ids)
    await store.tell(*ids)
    await store.settle(*await store.take(limit=2000), kind=VerdictKind.DEAD)

    ended = await monitor("redeliver", "--receiver", "crm")

    assert ended.out.startswith("1,100 deliveries are owed again")
    assert len(await store.take(limit=2000, at=datetime.now(UTC) + MINUTE)) == 1100


@both
async def test_tests_do_not_come_back_with_the_others(
    monitor: Run, consumer: Consumer, store: Store
) -> None:
    consumer.status = 500
    await monitor("test", "crm")

    in_bulk = await monitor("redeliver", "--receiver", "crm")
    by_name = await monitor("redeliver", "1")

    assert "nothing to do" in in_bulk.out
    assert by_name.out.startswith("1 delivery is owed again")
    assert await store.value("SELECT state FROM deliveries") == "pending"


async def test_a_receiver_that_left_is_warned_of(monitor: Run, store: Store) -> None:
    await store.receivers("left")
    await store.add("x")
    await store.tell("x", receivers=("left",))
    await store.settle(*await store.take("left"), kind=VerdictKind.DEAD)

    ended = await monitor("redeliver", "--receiver", "left")
    unknown = await monitor("redeliver", "--receiver", "nobody")

    assert ended.code == 0
    assert ended.err.endswith("warning: the config has no receiver left; they wait for it\n")
    assert unknown.code == 1
    assert 'there is no receiver "nobody"' in unknown.err
