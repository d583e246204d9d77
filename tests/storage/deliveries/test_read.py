from monitor.core.delivery import VerdictKind
from monitor.core.pause import Hold
from monitor.storage.deliveries.read import (
    deliveries_of_events,
    lane_head,
    last_hold,
    read_delivery,
)
from monitor.storage.receivers import hold_receiver
from tests.storage.store import MINUTE, NOW, SECOND, Store


async def told(store: Store, times: int = 2) -> list[str]:
    """Let a batch tell events to crm and ops; return their ids, the oldest first."""
    await store.add("x")
    for number in range(times):
        await store.tell("x", receivers=("crm", "ops"), at=NOW + number * MINUTE)
    return [row[0] for row in await store.rows("SELECT id FROM events ORDER BY sequence")]


async def test_the_deliveries_of_several_events_are_read_at_once(store: Store) -> None:
    first, second, _ = await told(store, 3)

    found = await deliveries_of_events(store.database, [second, first])

    assert [(view.event_id, view.receiver) for view in found] == [
        (first, "crm"),
        (first, "ops"),
        (second, "crm"),
        (second, "ops"),
    ]
    assert await deliveries_of_events(store.database, []) == []


async def test_the_head_of_a_lane_is_its_oldest_pending_one(store: Store) -> None:
    _, second = await told(store)
    rows = {view.receiver: view for view in await deliveries_of_events(store.database, [second])}
    (head,) = await store.take("crm")

    before = await lane_head(store.database, rows["crm"].row)
    await store.settle(head)
    after = await lane_head(store.database, rows["crm"].row)

    assert before is not None
    assert (before.row, before.sequence) == (head.row, 1)
    assert after is not None
    assert after.row == rows["crm"].row


async def test_a_lane_that_owes_nothing_has_no_head(store: Store) -> None:
    await told(store, 1)
    (head,) = await store.take("crm")
    await store.settle(head)

    assert await lane_head(store.database, head.row) is None


async def test_the_last_hold_of_a_receiver_is_no_other_failure_and_nobody_elses(
    store: Store,
) -> None:
    await told(store, 1)
    (head,) = await store.take("crm")
    await store.settle(head, kind=VerdictKind.HOLD, due=NOW, status_code=500)
    (head,) = await store.take("crm", at=NOW + SECOND)
    await store.settle(head, kind=VerdictKind.HOLD, due=NOW, status_code=503, at=NOW + SECOND)
    (head,) = await store.take("crm", at=NOW + SECOND)
    await store.settle(head, kind=VerdictKind.RETRY, due=NOW, status_code=404)

    found = await last_hold(store.database, "crm")

    assert found is not None
    assert (found.status_code, found.at) == (503, NOW + SECOND)
    assert await last_hold(store.database, "ops") is None


async def test_a_held_delivery_knows_since_when_and_until_when(store: Store) -> None:
    await told(store, 1)
    (head,) = await store.take("crm")
    hold = Hold(since=NOW, until=NOW + MINUTE, step=0)
    await hold_receiver(store.database, "crm", hold)

    view = await read_delivery(store.database, head.row)

    assert view is not None
    assert (view.held_since, view.held_until) == (NOW, NOW + MINUTE)
