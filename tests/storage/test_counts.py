from monitor.storage.counts import NOT_READ, WatchCount, count_batches, count_due, count_pending
from tests.storage.store import LEASE, MINUTE, NOW, Store


async def test_what_is_owed_is_counted_by_receiver(store: Store) -> None:
    await store.add("b1", "b2")
    await store.tell("b1", "b2", receivers=("crm", "ops"))
    await store.settle(*await store.take("ops", limit=1))

    assert await count_pending(store.database) == {"crm": 2, "ops": 1}


async def test_watched_batches_are_counted_by_source_and_phase(store: Store) -> None:
    await store.add("b1", "b2", "b3", "gone")
    await store.run("UPDATE batches SET phase = 'running' WHERE external_id IN ('b1', 'b2')")
    await store.run("UPDATE batches SET stalled_at = 1 WHERE external_id IN ('b1', 'gone')")
    await store.run("UPDATE batches SET watched = FALSE WHERE external_id = 'gone'")

    assert await count_batches(store.database) == {
        ("bolna", "running"): WatchCount(number=2, stalled=1),
        ("bolna", NOT_READ): WatchCount(number=1, stalled=0),
    }


async def test_batches_are_counted_that_are_due_and_that_nobody_claimed(store: Store) -> None:
    await store.add("b1", "b2", "b3")
    await store.add("later", at=NOW + MINUTE)
    await store.source("idle")
    await store.claim(want=1)

    assert await count_due(store.database, now=NOW) == {"bolna": 2, "idle": 0}
    assert await count_due(store.database, now=NOW + LEASE) == {"bolna": 3, "idle": 0}
