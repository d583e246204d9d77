from datetime import timedelta

from monitor.core.event import stamp
from monitor.storage.events.read import (
    EventKey,
    event_keys,
    newest_event_at,
    read_event,
    read_events,
)
from tests.storage.store import MINUTE, NOW, SECOND, Store


async def keys(store: Store, *, back: timedelta = MINUTE) -> list[EventKey]:
    return [key async for page in event_keys(store.database, NOW - back) for key in page]


async def test_keys_come_in_the_order_of_time_then_sequence(store: Store) -> None:
    await store.add("a", "b")
    await store.tell("a", "b")
    await store.tell("a", at=NOW + MINUTE)

    found = await keys(store)

    assert found == sorted(found)
    assert [key.at for key in found] == [NOW, NOW, NOW + MINUTE]
    assert [key.sequence for key in found] == [1, 1, 2]


async def test_keys_begin_with_the_time_that_is_asked_for(store: Store) -> None:
    await store.add("a")
    await store.tell("a")
    await store.tell("a", at=NOW + MINUTE)

    assert [key.sequence for key in await keys(store, back=-SECOND)] == [2]
    assert [key.sequence for key in await keys(store, back=timedelta())] == [1, 2]


async def test_more_than_a_page_of_keys_of_one_moment_comes_once_each(store: Store) -> None:
    ids = [f"x{number}" for number in range(1100)]
    await store.add(*ids)
    await store.tell(*ids)

    pages = [len(page) async for page in event_keys(store.database, NOW)]

    assert pages == [1000, 100]
    assert len(set(await keys(store))) == 1100


async def test_the_newest_event_has_a_time_once_there_is_one(store: Store) -> None:
    before = await newest_event_at(store.database)
    await store.add("a")
    await store.tell("a", at=NOW + SECOND)

    assert (before, await newest_event_at(store.database)) == (None, NOW + SECOND)


async def test_events_are_read_by_their_ids_the_oldest_first(store: Store) -> None:
    await store.add("a")
    await store.tell("a")
    await store.tell("a", at=NOW + MINUTE)
    first, second = await keys(store)

    found = await read_events(store.database, [second.id, first.id, "evt_x"])

    assert [event.id for event in found] == [first.id, second.id]
    assert stamp(NOW).encode() in found[0].body
    assert await read_events(store.database, []) == []


async def test_an_event_is_read_by_its_id(store: Store) -> None:
    await store.add("a")
    await store.tell("a")
    (key,) = await keys(store)

    found = await read_event(store.database, key.id)

    assert found is not None
    assert (found.id, found.sequence) == (key.id, 1)
    assert await read_event(store.database, "evt_x") is None
