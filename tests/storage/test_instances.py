from monitor.storage.instances import daemon_seen_at, touch_instance
from tests.storage.store import MINUTE, NOW, Store


async def test_the_daemon_that_spoke_last_counts(store: Store) -> None:
    never = await daemon_seen_at(store.database)
    await touch_instance(store.database, "one", now=NOW + MINUTE)
    await touch_instance(store.database, "two", now=NOW)

    assert (never, await daemon_seen_at(store.database)) == (None, NOW + MINUTE)
