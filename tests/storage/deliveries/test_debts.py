import pytest

from monitor.core.delivery import VerdictKind
from monitor.storage.deliveries import debts
from monitor.storage.deliveries.debts import Debt, Handover, debts_of_gone, hand_over
from tests.storage.store import LEASE, MINUTE, NOW, SECOND, Store

LATER = NOW + 60 * MINUTE


async def owe(store: Store, *batches: str, times: int, receivers: tuple[str, ...]) -> None:
    """Let batches tell so many events, a minute apart."""
    await store.receivers("crm", "ops", "spare")
    await store.add(*batches)
    for minute in range(times):
        await store.tell(*batches, receivers=receivers, at=NOW + minute * MINUTE)


async def test_what_waits_for_receivers_that_left_is_counted(store: Store) -> None:
    await owe(store, "b1", "b2", times=3, receivers=("crm", "ops"))
    await store.settle(*await store.take("crm", at=NOW + 3 * MINUTE), kind=VerdictKind.DELIVERED)

    found = await debts_of_gone(store.database, ["ops"])

    assert found == {"crm": Debt(deliveries=4, oldest=NOW + MINUTE)}
    assert await debts_of_gone(store.database, ["ops", "crm"]) == {}


async def test_debts_are_handed_over_in_order_on_a_fresh_schedule(store: Store) -> None:
    await owe(store, "b1", times=3, receivers=("crm",))
    await store.run("UPDATE deliveries SET attempts = 3, due_at = due_at + 1 WHERE sequence = 1")

    done = await hand_over(store.database, "crm", to="ops", now=LATER)

    assert done == Handover(moved=3, doubled=0)
    sent = []
    while taken := await store.take("ops", at=LATER + MINUTE):
        (delivery,) = taken  # one at a time
        sent.append((delivery.sequence, delivery.attempts, delivery.enqueued_at))
        await store.settle(delivery, kind=VerdictKind.DELIVERED, at=LATER + MINUTE)
    assert sent == [(1, 0, LATER), (2, 0, LATER), (3, 0, LATER)]
    assert await store.take("crm", at=LATER + MINUTE) == []


async def test_what_the_other_receiver_has_itself_is_given_up(store: Store) -> None:
    await owe(store, "b1", times=2, receivers=("crm", "ops"))
    await store.tell("b1", receivers=("crm",), at=NOW + 5 * MINUTE)

    done = await hand_over(store.database, "crm", to="ops", now=LATER)

    assert done == Handover(moved=1, doubled=2)
    rows = await store.rows(
        "SELECT receiver, sequence, state FROM deliveries ORDER BY receiver, sequence"
    )
    assert [tuple(row) for row in rows] == [
        ("crm", 1, "dead"),
        ("crm", 2, "dead"),
        ("ops", 1, "pending"),
        ("ops", 2, "pending"),
        ("ops", 3, "pending"),
    ]
    due = await store.rows("SELECT sequence FROM deliveries WHERE due_at IS NOT NULL")
    assert [row[0] for row in due] == [1]


async def test_what_is_older_goes_before_what_the_other_receiver_waits_for(store: Store) -> None:
    """As after a renaming, while the receiver is held."""
    await owe(store, "b1", times=3, receivers=("crm",))
    for minute in (4, 5):
        await store.tell("b1", receivers=("ops",), at=NOW + minute * MINUTE)

    await hand_over(store.database, "crm", to="ops", now=LATER)

    sent = []
    while taken := await store.take("ops", at=LATER + MINUTE):
        (delivery,) = taken
        sent.append(delivery.sequence)
        await store.settle(delivery, kind=VerdictKind.DELIVERED, at=LATER + MINUTE)
    assert sent == [1, 2, 3, 4, 5]


async def test_what_is_being_sent_is_left_alone_until_its_lease_has_run_out(store: Store) -> None:
    await owe(store, "b1", "b2", times=1, receivers=("crm",))
    (taken, *_) = await store.take("crm", limit=1, at=NOW)

    early = await hand_over(store.database, "crm", to="ops", now=NOW + SECOND)
    late = await hand_over(store.database, "crm", to="ops", now=NOW + LEASE + SECOND)

    assert (early.moved, late.moved) == (1, 1)
    await store.settle(taken, kind=VerdictKind.DELIVERED, at=NOW + LEASE + 2 * SECOND)
    states = await store.rows("SELECT receiver, state FROM deliveries")
    assert {tuple(row) for row in states} == {("ops", "pending")}


async def test_many_are_handed_over_some_at_a_time(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debts, "CHUNK", 4)
    await owe(store, "b1", "b2", "b3", times=5, receivers=("crm",))

    done = await hand_over(store.database, "crm", to="ops", now=LATER)

    assert done.moved == 15
    heads = await store.rows(
        "SELECT sequence FROM deliveries WHERE receiver = 'ops' AND due_at IS NOT NULL"
    )
    assert [row[0] for row in heads] == [1, 1, 1]
