from monitor.core.delivery import VerdictKind
from monitor.core.pause import Hold
from monitor.storage.receivers import hold_receiver, lift_hold, register_receivers
from tests.storage.store import MINUTE, NOW, SECOND, Store


async def test_receivers_keep_their_row_and_key(store: Store) -> None:
    first = await register_receivers(store.database, ["crm", "new"])
    again = await register_receivers(store.database, ["new"])

    assert set(first) == {"crm", "new"}
    assert again == {"new": first["new"]}
    assert (first["new"].sequence, first["new"].hold) == (0, None)
    assert len(first["new"].key) == 32
    assert first["new"].key != first["crm"].key


async def test_a_hold_outlives_a_restart(store: Store) -> None:
    hold = Hold(since=NOW, until=NOW + MINUTE, step=3)

    await hold_receiver(store.database, "crm", hold)

    rows = await register_receivers(store.database, ["crm", "ops"])
    assert (rows["crm"].hold, rows["ops"].hold) == (hold, None)


async def test_the_end_of_a_hold_makes_due_what_waits_and_nothing_else(store: Store) -> None:
    await store.add("b1", "b2", "b3")
    await store.tell("b1", "b2", "b3", receivers=("crm", "ops"))
    await store.tell("b1", "b2", "b3")
    waits, under_way, done = await store.take("crm")
    (elsewhere, *_) = await store.take("ops", limit=1)
    for delivery in (waits, elsewhere):
        await store.settle(delivery, kind=VerdictKind.HOLD, due=NOW + 60 * MINUTE)
    await store.settle(done)
    await hold_receiver(store.database, "crm", Hold(since=NOW, until=NOW + MINUTE, step=0))

    await lift_hold(store.database, "crm", now=NOW + SECOND)

    due = await store.take("crm", at=NOW + SECOND)
    assert {(d.subject_row, d.sequence) for d in due} == {
        (waits.subject_row, 1),
        (done.subject_row, 2),
    }
    assert under_way.row not in {d.row for d in due}
    assert elsewhere.row not in {d.row for d in await store.take("ops", at=NOW + SECOND)}
    assert (await register_receivers(store.database, ["crm"]))["crm"].hold is None
