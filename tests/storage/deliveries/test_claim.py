import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from monitor.core.delivery import Delivery, VerdictKind
from monitor.core.errors import DataRefusedError, StorageError
from monitor.core.event import SubjectKind
from monitor.storage.database import Database
from monitor.storage.deliveries.claim import (
    claim_deliveries,
    due_receivers,
    release_deliveries,
    unclaim_deliveries,
)
from tests.storage.store import LEASE, MINUTE, NOW, SECOND, Store, reservation

Open = Callable[[str], Database]


async def owe(store: Store, *names: str, receivers: tuple[str, ...] = ("crm",)) -> None:
    await store.add(*names)
    await store.tell(*names, receivers=receivers)


async def test_a_claimed_delivery_holds_what_sending_needs(store: Store) -> None:
    await owe(store, "b1")

    (delivery,) = await store.take(owner="two")

    ((row, batch, body),) = await store.rows(
        "SELECT d.id, d.subject_row, e.body FROM deliveries d JOIN events e ON e.id = d.event"
    )
    assert delivery == Delivery(
        row=row,
        epoch=1,
        event_id=delivery.event_id,
        event_type="batch.first_seen",
        body=bytes(body),
        receiver="crm",
        subject_kind=SubjectKind.BATCH,
        subject_row=batch,
        sequence=1,
        attempts=0,
        observed_at=NOW,
        enqueued_at=NOW,
    )
    assert delivery.event_id.encode() in delivery.body


async def test_at_most_as_many_are_claimed_as_asked_the_longest_due_first(store: Store) -> None:
    for number in (2, 0, 1):
        at = NOW + number * SECOND
        await store.add(f"b{number}", at=at)
        await store.tell(f"b{number}", at=at)

    first = await store.take(limit=2, at=NOW + MINUTE)
    second = await store.take(limit=2, at=NOW + MINUTE)

    assert sorted(d.enqueued_at for d in first) == [NOW, NOW + SECOND]
    assert [d.enqueued_at for d in second] == [NOW + 2 * SECOND]


@pytest.mark.parametrize("owed", [1, 2, 3, 10, 100])
async def test_a_claim_never_brings_more_than_was_asked_for(store: Store, owed: int) -> None:
    await owe(store, *(f"b{n}" for n in range(owed)))
    if store.database.dialect == "postgresql":
        await store.run("ANALYZE deliveries")

    claimed = [len(await store.take(limit=2)) for _ in range(owed)]

    assert max(claimed) <= 2
    assert sum(claimed) == owed


async def test_a_delivery_under_way_is_nobody_elses_until_its_lease_runs_out(store: Store) -> None:
    await owe(store, "b1")
    (first,) = await store.take(owner="one")

    assert await store.take(owner="two", at=NOW + LEASE - SECOND) == []
    (second,) = await store.take(owner="two", at=NOW + LEASE)

    assert second.epoch == first.epoch + 1


async def test_settling_under_an_old_epoch_is_ignored_and_leaves_no_attempt(store: Store) -> None:
    await owe(store, "b1")
    (old,) = await store.take(owner="one")
    (new,) = await store.take(owner="two", at=NOW + LEASE)

    await store.settle(old)
    assert await store.value("SELECT state FROM deliveries") == "pending"
    assert await store.value("SELECT count(*) FROM attempts") == 0
    await store.settle(new)

    assert await store.value("SELECT state FROM deliveries") == "delivered"
    assert await store.value("SELECT count(*) FROM attempts") == 1


async def test_of_two_attempts_that_are_settled_at_once_only_the_one_of_the_claim_counts(
    store: Store,
) -> None:
    """As after a pause beyond the lease, when both answers have come."""
    await owe(store, "b1")
    (old,) = await store.take()
    (new,) = await store.take(at=NOW + LEASE)

    await store.settle(old, new)

    assert await store.rows("SELECT state, attempts FROM deliveries") == [("delivered", 1)]
    assert await store.value("SELECT count(*) FROM attempts") == 1


async def test_settling_twice_counts_once(store: Store) -> None:
    await owe(store, "b1")
    (delivery,) = await store.take()

    await store.settle(delivery)
    await store.settle(delivery)

    assert await store.value("SELECT count(*) FROM attempts") == 1


async def test_an_attempt_is_written_with_all_that_is_known_of_it(store: Store) -> None:
    await owe(store, "b1")
    (delivery,) = await store.take()

    await store.settle(
        delivery,
        kind=VerdictKind.RETRY,
        due=NOW + MINUTE,
        at=NOW + SECOND,
        status_code=404,
        error="channel_not_found",
        response="no such thing",
    )

    (attempt,) = await store.rows(
        "SELECT delivery, at, duration_ms, verdict, status_code, error, response FROM attempts"
    )
    at = int((NOW + SECOND).timestamp() * 1000)
    expected = (delivery.row, at, 12, "retry", 404, "channel_not_found", "no such thing")
    assert tuple(attempt) == expected
    (again,) = await store.take(at=NOW + MINUTE)
    assert again.attempts == 1


async def test_a_delivered_one_says_when(store: Store) -> None:
    await owe(store, "b1", "b2")
    one, two = await store.take()

    await store.settle(one, at=NOW + MINUTE)
    await store.settle(two, kind=VerdictKind.DEAD)

    rows = await store.rows("SELECT state, delivered_at, due_at, lease_owner FROM deliveries")
    at = int((NOW + MINUTE).timestamp() * 1000)
    assert {tuple(row) for row in rows} == {
        ("delivered", at, None, None),
        ("dead", None, None, None),
    }


async def test_settling_tells_for_which_receivers_something_became_due(store: Store) -> None:
    await owe(store, "b1", receivers=("crm", "ops"))
    await store.tell("b1", receivers=("ops",))
    (crm,), (ops,) = await store.take("crm"), await store.take("ops")

    assert await store.settle(crm, ops) == {"ops"}


async def test_settling_nothing_is_no_harm(store: Store) -> None:
    assert await store.settle() == set()


async def test_an_answer_the_database_refuses_settles_nothing(store: Store) -> None:
    await owe(store, "b1")
    (delivery,) = await store.take()

    if store.database.dialect == "postgresql":
        with pytest.raises(DataRefusedError):
            await store.settle(delivery, response="a\x00b")
    with pytest.raises(DataRefusedError):
        await store.settle(delivery, response="\ud800")

    assert await store.value("SELECT state FROM deliveries") == "pending"
    assert await store.settle(delivery) == set()


async def test_released_deliveries_are_due_at_once_and_their_attempts_ignored(
    store: Store,
) -> None:
    await owe(store, "b1", "b2")
    (one,) = await store.take(limit=1, owner="one")
    await store.take(limit=1, owner="two")

    released = await release_deliveries(store.database, owner="one", now=NOW + SECOND)
    await store.settle(one)

    (again,) = await store.take(at=NOW + SECOND)
    assert (released, again.row) == (1, one.row)


async def test_nobody_in_particular_releases_all(store: Store) -> None:
    await owe(store, "b1", "b2", "b3")
    await store.take(limit=1, owner="one")
    await store.take(limit=1, owner="two")

    assert await release_deliveries(store.database, owner=None, now=NOW) == 2
    assert len(await store.take()) == 3


async def test_what_was_claimed_for_nothing_is_due_again_unless_it_was_claimed_anew(
    store: Store,
) -> None:
    await owe(store, "b1", "b2")
    first, second = await store.take("crm")
    await release_deliveries(store.database, owner=None, now=NOW)
    (anew,) = await store.take("crm", limit=1)

    await unclaim_deliveries(store.database, [first, second], now=NOW)
    assert [d.row for d in await store.take("crm")] == [second.row]

    await unclaim_deliveries(store.database, [anew], now=NOW)
    assert [d.row for d in await store.take("crm")] == [first.row]


async def test_a_delivery_that_waits_for_its_next_try_is_not_released(store: Store) -> None:
    await owe(store, "b1")
    (delivery,) = await store.take()
    await store.settle(delivery, kind=VerdictKind.RETRY, due=NOW + MINUTE)

    assert await release_deliveries(store.database, owner=None, now=NOW) == 0
    assert await store.take(at=NOW + SECOND) == []


async def test_receivers_are_told_with_when_they_are_due(store: Store) -> None:
    await owe(store, "b1", "b2")
    (one,) = await store.take(limit=1)
    await store.settle(one, kind=VerdictKind.RETRY, due=NOW - MINUTE)

    assert await due_receivers(store.database) == {"crm": NOW - MINUTE}


async def test_daemons_that_claim_at_once_never_send_the_same_delivery(
    store: Store, database_url: str, open_database: Open
) -> None:
    await owe(store, *(f"b{n}" for n in range(200)))
    taken: Counter[int] = Counter()

    async def daemon(owner: str) -> None:
        database = open_database(database_url)
        empty = 0
        while empty < 3:
            try:
                claimed = await claim_deliveries(
                    database, "crm", limit=5, now=NOW, lease=LEASE, owner=owner
                )
            except StorageError:  # SQLite allows one daemon; a busy file is an answer too
                continue
            taken.update(delivery.row for delivery in claimed)
            empty += not claimed

    await asyncio.gather(*(daemon(f"d{n}") for n in range(4)))

    assert len(taken) == 200
    assert set(taken.values()) == {1}


async def test_a_born_delivery_is_released_like_a_claimed_one(store: Store) -> None:
    await store.add("b1")
    await store.tell("b1", reservation=reservation({"crm": 8}, owner="one"))

    assert await release_deliveries(store.database, owner="one", now=NOW) == 1
    assert len(await store.take()) == 1
