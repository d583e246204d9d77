from monitor.storage.census import NOT_READ, count_batches, count_pending
from tests.storage.store import Store


async def test_what_is_owed_is_counted_by_receiver(store: Store) -> None:
    await store.add("b1", "b2")
    await store.tell("b1", "b2", receivers=("crm", "ops"))
    await store.settle(*await store.take("ops", limit=1))

    assert await count_pending(store.database) == {"crm": 2, "ops": 1}


async def test_watched_batches_are_counted_by_source_and_phase(store: Store) -> None:
    await store.add("b1", "b2", "b3", "gone")
    await store.run("UPDATE batches SET phase = 'running' WHERE external_id IN ('b1', 'b2')")
    await store.run("UPDATE batches SET watched = FALSE WHERE external_id = 'gone'")

    assert await count_batches(store.database) == {
        ("bolna", "running"): 2,
        ("bolna", NOT_READ): 1,
    }
