from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.storage.events.follow import GRACE, Follower, follow_from_now
from tests.storage.store import MINUTE, NOW, SECOND, Store


@dataclass
class Clock:
    """A clock that a test puts forward."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


async def looked(follower: Follower) -> list[str]:
    return [event.id async for event in follower.look()]


async def subjects(store: Store, follower: Follower) -> list[str]:
    """Look once; return whose events came."""
    found = await looked(follower)
    rows = await store.rows(
        "SELECT e.id, b.external_id FROM events AS e JOIN batches AS b ON b.id = e.subject_row"
    )
    names = {row[0]: row[1] for row in rows}
    return [names[event] for event in found]


async def tell(store: Store, batch: str, *, at: datetime) -> None:
    """Register a batch and let it tell an event."""
    await store.add(batch, at=at)
    await store.tell(batch, at=at)


async def test_each_event_comes_once_in_the_order_of_time(store: Store) -> None:
    follower = Follower(store.database, since=NOW)
    await tell(store, "b", at=NOW + MINUTE)
    await tell(store, "a", at=NOW)

    first = await subjects(store, follower)
    again = await subjects(store, follower)
    await tell(store, "c", at=NOW + 2 * MINUTE)
    later = await subjects(store, follower)

    assert (first, again, later) == (["a", "b"], [], ["c"])


async def test_an_event_that_is_committed_late_is_not_missed(store: Store) -> None:
    follower = await follow_from_now(store.database)
    await tell(store, "early", at=NOW + MINUTE)
    assert await subjects(store, follower) == ["early"]

    await tell(store, "late", at=NOW + 5 * SECOND)

    assert await subjects(store, follower) == ["late"]


async def test_after_an_outage_readings_from_before_it_may_come_after_new_ones(
    store: Store,
) -> None:
    clock = Clock()
    follower = Follower(store.database, since=NOW - MINUTE, clock=clock)
    await tell(store, "before", at=NOW)
    await subjects(store, follower)

    clock.now += 600
    await tell(store, "after", at=NOW + 10 * MINUTE)
    assert await subjects(store, follower) == ["after"]
    clock.now += GRACE / 2
    await tell(store, "held back", at=NOW + SECOND)

    assert await subjects(store, follower) == ["held back"]


async def test_no_more_is_remembered_than_may_come_again(store: Store) -> None:
    clock = Clock()
    await store.add("x")
    follower = Follower(store.database, since=NOW, clock=clock)

    for number in range(20):
        await store.tell("x", at=NOW + timedelta(minutes=number))
        await looked(follower)
        clock.now += 60

    assert len(follower._seen) <= 4


async def test_a_long_past_is_caught_up_with_page_by_page(store: Store) -> None:
    ids = [f"x{number}" for number in range(1200)]
    await store.add(*ids)
    await store.tell(*ids)
    await store.tell(*ids, at=NOW + 10 * MINUTE)
    follower = Follower(store.database, since=NOW)

    found = await looked(follower)

    assert len(found) == len(set(found)) == 2400
    assert len(follower._seen) <= 1200
    assert await looked(follower) == []


async def test_from_now_on_all_before_is_old(store: Store) -> None:
    await store.add("x")
    await store.tell("x", at=NOW)
    follower = await follow_from_now(store.database)

    assert await looked(follower) == []
