from datetime import datetime

from monitor.core.delivery import VerdictKind
from monitor.storage.instances import forget_instance, touch_instance
from monitor.storage.sql import CHUNK
from monitor.storage.upkeep import (
    expire_deliveries,
    heed_step_back,
    mend_plans,
    prune,
    repair_lanes,
)
from tests.storage.store import MINUTE, NOW, SECOND, Store, reservation


async def test_an_instance_says_that_it_is_alive(store: Store) -> None:
    await touch_instance(store.database, "one", now=NOW)
    await touch_instance(store.database, "two", now=NOW)
    await touch_instance(store.database, "one", now=NOW + MINUTE)

    rows = await store.rows("SELECT name, seen_at FROM instances ORDER BY name")
    at = int(NOW.timestamp() * 1000)
    assert [tuple(row) for row in rows] == [("one", at + 60_000), ("two", at)]


async def test_an_instance_that_has_ended_is_not_alive(store: Store) -> None:
    await touch_instance(store.database, "one", now=NOW)
    await touch_instance(store.database, "two", now=NOW)

    await forget_instance(store.database, "one")

    assert [row[0] for row in await store.rows("SELECT name FROM instances")] == ["two"]


async def test_what_a_clock_planned_that_was_put_back_since_is_due(store: Store) -> None:
    await store.add("b1")
    await store.tell("b1", receivers=("crm",))
    await store.run("UPDATE batches SET next_poll_at = 9999999999999")
    await store.run("UPDATE deliveries SET due_at = 9999999999999")
    earlier = NOW - 60 * MINUTE

    ahead = await heed_step_back(store.database, now=earlier)
    await mend(store, now=earlier)

    due = int(earlier.timestamp() * 1000)
    assert ahead == 60 * MINUTE
    assert await store.value("SELECT next_poll_at FROM batches") == due
    assert await store.value("SELECT due_at FROM deliveries") == due


async def mend(store: Store, *, now: datetime, steps: int | None = None) -> int:
    """Mend plans, or begin to; return in how many steps."""
    done = 0
    async for _ in mend_plans(store.database, now=now):
        done += 1
        if done == steps:
            break
    return done


async def test_plans_are_mended_some_at_a_time_and_to_the_end_after_a_kill(store: Store) -> None:
    """What was read in time and planned from there is left alone."""
    names = [f"b{number}" for number in range(2 * CHUNK + 1)]
    await store.add(*names)
    earlier = NOW - 60 * MINUTE
    at = {"now": int(NOW.timestamp() * 1000), "true": int(earlier.timestamp() * 1000)}
    await store.run(
        "UPDATE batches SET last_poll_at = :now, next_poll_at = :now + 60000", now=at["now"]
    )
    await store.run(
        "UPDATE batches SET last_poll_at = :true - 1, next_poll_at = :true + 60000"
        ", registered_at = 1 WHERE external_id = 'b0'",
        true=at["true"],
    )
    await store.run("UPDATE batches SET last_poll_at = NULL WHERE external_id = 'b1'")
    await store.run("UPDATE batches SET last_poll_at = 1 WHERE external_id = 'b2'")  # woken since
    await store.run("UPDATE sources SET tokens_at = :now", now=at["now"])
    await heed_step_back(store.database, now=earlier)

    assert await mend(store, now=earlier, steps=1) == 1
    await store.run("UPDATE sources SET tokens_at = :true", true=at["true"])
    assert not await heed_step_back(store.database, now=earlier)
    assert await mend(store, now=earlier) > 1
    assert await mend(store, now=earlier) == 0

    planned = await store.rows(
        "SELECT external_id, next_poll_at FROM batches WHERE next_poll_at > :true", true=at["true"]
    )
    assert [tuple(row) for row in planned] == [("b0", at["true"] + 60_000)]


async def test_a_budget_flows_again_after_a_step_back_and_the_start_says_so_once(
    store: Store,
) -> None:
    await store.add("b1", "b2")
    assert len((await store.claim(want=1, rate=1.0)).claims) == 1
    await store.run("UPDATE sources SET tokens = 0")
    await touch_instance(store.database, "another", now=NOW)
    earlier = NOW - 60 * MINUTE

    assert await heed_step_back(store.database, now=earlier) == 60 * MINUTE
    await mend(store, now=earlier)

    assert not await heed_step_back(store.database, now=earlier + SECOND)
    assert (await store.claim(rate=1.0, at=earlier + 10 * SECOND)).claims


async def test_a_clock_that_drifts_or_goes_on_changes_no_plan(store: Store) -> None:
    await store.add("b1")
    await store.tell("b1")
    before = await store.rows("SELECT next_poll_at FROM batches")

    for now in (NOW - SECOND, NOW, NOW + 60 * MINUTE):
        assert not await heed_step_back(store.database, now=now)

    assert await store.rows("SELECT next_poll_at FROM batches") == before


async def test_healthy_lanes_need_no_repair(store: Store) -> None:
    await store.add("b1", "b2")
    await store.tell("b1", "b2", reservation=reservation({"crm": 1}))
    await store.tell("b1", "b2")

    assert await repair_lanes(store.database, now=NOW) == 0


async def test_a_lane_without_a_due_head_is_repaired(store: Store) -> None:
    await store.add("b1", "b2")
    await store.tell("b1", "b2", receivers=("crm", "ops"))
    await store.tell("b1", "b2", receivers=("crm", "ops"))
    await store.run("UPDATE deliveries SET due_at = NULL WHERE receiver = 'crm'")

    repaired = await repair_lanes(store.database, now=NOW + SECOND)

    assert repaired == 2
    assert {d.sequence for d in await store.take("crm", at=NOW + SECOND)} == {1}
    assert await repair_lanes(store.database, now=NOW) == 0


async def test_a_hopeless_delivery_is_given_up_and_its_lane_goes_on(store: Store) -> None:
    await store.add("b1")
    await store.tell("b1", receivers=("crm", "ops"))
    await store.tell("b1", receivers=("crm", "ops"), at=NOW + 2 * MINUTE)

    gone = await expire_deliveries(store.database, "crm", before=NOW + MINUTE, now=NOW + 3 * MINUTE)

    assert gone == 1
    assert [d.sequence for d in await store.take("crm", at=NOW + 3 * MINUTE)] == [2]
    assert [d.sequence for d in await store.take("ops", at=NOW + 3 * MINUTE)] == [1]
    rows = await store.rows("SELECT state, due_at FROM deliveries WHERE state = 'dead'")
    assert [tuple(row) for row in rows] == [("dead", None)]


async def test_a_delivery_under_way_is_not_given_up(store: Store) -> None:
    await store.add("b1")
    await store.tell("b1")
    (delivery,) = await store.take()

    assert await expire_deliveries(store.database, "crm", before=NOW + MINUTE, now=NOW) == 0
    await store.settle(delivery)

    assert await store.value("SELECT state FROM deliveries") == "delivered"


async def test_a_whole_backlog_is_given_up_chunk_by_chunk(store: Store) -> None:
    names = [f"b{n}" for n in range(CHUNK // 2 + 10)]
    await store.add(*names)
    await store.tell(*names)
    await store.tell(*names)

    counts = [
        await expire_deliveries(store.database, "crm", before=NOW + MINUTE, now=NOW)
        for _ in range(3)
    ]

    assert counts == [CHUNK, 20, 0]
    assert await store.value("SELECT count(*) FROM deliveries WHERE state = 'dead'") == CHUNK + 20


async def test_old_events_go_with_their_deliveries_attempts_and_snapshots(store: Store) -> None:
    await store.add("b1", "b2")
    await store.tell("b1", "b2", receivers=("crm", "ops"))
    await store.settle(*await store.take("crm"))
    await store.settle(*await store.take("ops"), kind=VerdictKind.DEAD)

    gone = await prune(store.database, before=NOW + SECOND)

    assert gone == 4  # two events, two snapshots
    for table in ("events", "deliveries", "attempts", "snapshots"):
        assert await store.value(f"SELECT count(*) FROM {table}") == 0  # noqa: S608 (ours)
    assert await prune(store.database, before=NOW + SECOND) == 0


async def test_an_event_that_is_still_owed_to_anybody_stays(store: Store) -> None:
    await store.add("b1")
    await store.tell("b1", receivers=("crm", "ops"))
    await store.settle(*await store.take("crm"))

    await prune(store.database, before=NOW + SECOND)

    assert await store.value("SELECT count(*) FROM events") == 1
    assert await store.value("SELECT count(*) FROM deliveries") == 2
    assert await store.value("SELECT count(*) FROM attempts") == 1


async def test_what_is_young_stays(store: Store) -> None:
    await store.add("b1")
    await store.tell("b1", receivers=())
    await store.tell("b1", receivers=(), at=NOW + MINUTE)

    assert await prune(store.database, before=NOW + SECOND) == 2
    assert await store.value("SELECT count(*) FROM events") == 1
    assert await store.value("SELECT count(*) FROM snapshots") == 1


async def test_events_are_deleted_a_chunk_at_a_time(store: Store) -> None:
    names = [f"b{n}" for n in range(CHUNK + 20)]
    await store.add(*names)
    await store.tell(*names, receivers=())

    counts = [await prune(store.database, before=NOW + SECOND) for _ in range(3)]

    assert counts == [2 * CHUNK, 40, 0]


async def test_the_sequence_and_the_state_outlive_the_events(store: Store) -> None:
    await store.add("b1")
    await store.tell("b1", receivers=())
    await prune(store.database, before=NOW + SECOND)

    watch = (await store.claim_one()).watch
    assert (watch.sequence, watch.snapshots) == (1, 1)
    assert watch.known is not None
