"""Everything that the program does to its database, by name: what the tests of plans look at."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from monitor.core.batch import Origin
from monitor.storage.batches.claim import (
    count_watched,
    due_sources,
    hasten_batches,
    release_batches,
    unclaim_batches,
)
from monitor.storage.batches.identify import identify_batches
from monitor.storage.batches.read import (
    has_batches,
    ids_beginning,
    newest_snapshots,
    read_batch,
    registered_among,
    shared_beginnings,
    suspect_batches,
    watched_batches,
)
from monitor.storage.batches.register import (
    Registration,
    declare_batches,
    discover_batches,
    register_batches,
    unregister_batches,
)
from monitor.storage.counts import count_batches, count_due, count_pending
from monitor.storage.deliveries.claim import due_receivers, release_deliveries, unclaim_deliveries
from monitor.storage.deliveries.debts import debts_of_gone, hand_over, undelivered
from monitor.storage.deliveries.read import (
    attempts_of,
    deliveries_of_events,
    lane_head,
    last_hold,
    list_deliveries,
    pending_of_batch,
    read_delivery,
)
from monitor.storage.deliveries.receiver_test import owe_receiver_test
from monitor.storage.deliveries.redeliver import find_deliveries, find_of_receiver, redeliver
from monitor.storage.events.read import (
    event_keys,
    events_since,
    ids_beginning_with,
    newest_event_at,
    newest_events,
    read_events,
)
from monitor.storage.receivers import lift_hold, register_receivers
from monitor.storage.upkeep import (
    expire_deliveries,
    heed_step_back,
    mend_plans,
    prune,
    repair_lanes,
)
from tests.storage.bulk import DAY
from tests.storage.store import NOW, Store, reservation, running

Act = Callable[[Store], Awaitable[Any]]
ONE = Registration(source="s4", id="b7", name="seven")


async def tell_many(store: Store) -> None:
    """Poll batches that all tell something, some of it born claimed."""
    claimed = await store.claim(source="s1", want=300, rate=1e6)
    records = [
        store.record_of(claim, running(calls=77), receivers=("crm", "ops"))
        for claim in claimed.claims
    ]
    assert any(record.owed for record in records)
    await store.write(*records, reservation=reservation({"crm": 8}))


async def learn_nothing(store: Store) -> None:
    """Poll batches that are as they were."""
    claimed = await store.claim(source="s1", want=30, rate=1e6)
    records = []
    for claim in claimed.claims:
        known = replace(claim, watch=store.observe(claim.watch, running(calls=77)).watch)
        records.append(store.record_of(known, running(calls=77)))
    assert not any(record.learned for record in records)
    await store.write(*records)


async def probe(store: Store) -> None:
    """Try a source that is blocked."""
    await store.run("UPDATE sources SET blocked_until = 1 WHERE name = 's2'")
    assert len((await store.claim(source="s2")).claims) == 1


async def settle_some(store: Store) -> None:
    """Deliver, and give the next of each lane its turn."""
    taken = await store.take("crm")
    assert taken
    await store.settle(*taken)


async def give_back_some(store: Store) -> None:
    """Give back deliveries that were claimed for nothing."""
    taken = await store.take("crm")
    assert taken
    await unclaim_deliveries(store.database, taken, now=NOW)


async def give_batches_back(store: Store) -> None:
    """Give back batches that were claimed for nothing."""
    claimed = await store.claim(source="s1", want=30, rate=1e6)
    assert claimed.claims
    await unclaim_batches(store.database, claimed.claims)


async def expire(store: Store) -> None:
    """Give up what waits for too long; of most receivers that is nothing."""
    for before in (NOW - 40 * DAY, NOW + DAY):
        await expire_deliveries(store.database, "ops", before=before, now=NOW)


async def mend_a_lane(store: Store) -> None:
    """Give a lane its head back."""
    await store.run(
        "UPDATE deliveries SET due_at = NULL WHERE receiver = 'crm' AND subject_kind = 'batch'"
        " AND subject_row = 200 AND state = 'pending'"
    )
    assert await repair_lanes(store.database, now=NOW) == 1


async def identify(store: Store) -> None:
    """Give identities to batches that an older program registered, one of them watched already."""
    await store.run("UPDATE batches SET identity = NULL WHERE id IN (1, 2)")
    await store.run(
        "UPDATE batches SET identity = (SELECT external_id FROM batches WHERE id = 2) WHERE id = 22"
    )
    await identify_batches(store.database)


async def step_back(store: Store) -> None:
    """Take it that the clock was put back by a day."""
    assert await heed_step_back(store.database, now=NOW - DAY)
    async for _ in mend_plans(store.database, now=NOW - DAY):
        pass


async def owe_anew(store: Store) -> None:
    """Find deliveries and owe them anew: settled ones, and pending ones."""
    some = await find_deliveries(store.database, rows=[7, 8])
    more = await find_deliveries(store.database, events=["evt_7", "evt_owed7"])
    await redeliver(store.database, [*some, *more], now=NOW)


async def try_a_receiver(store: Store) -> None:
    """Owe a test."""
    row = (await register_receivers(store.database, ["crm"]))["crm"]
    await owe_receiver_test(
        store.database,
        row,
        kind="webhook",
        reservation=reservation({"crm": 1}),
        now=NOW,
    )


async def list_some(store: Store) -> None:
    """List what people list, a page or two of it."""
    database = store.database
    await first_of(watched_batches(database))
    await first_of(suspect_batches(database, ["s4"]))
    await first_of(list_deliveries(database))
    await first_of(list_deliveries(database, state="pending", receiver="crm"))
    await first_of(events_since(database, NOW - 20 * DAY))
    await first_of(event_keys(database, NOW - 20 * DAY))


async def first_of(rows: AsyncIterator[Any]) -> Any:
    """Return the first of many."""
    async for row in rows:
        return row
    raise AssertionError("there must be one")


ACTS: dict[str, Act] = {
    "a claim, a write-back, snapshots, events, deliveries": tell_many,
    "polls without news": learn_nothing,
    "a probe of a blocked source": probe,
    "a claim of a pressed source": lambda s: s.claim(source="s1", want=8, dice=0.5),
    "which sources are due": lambda s: due_sources(s.database),
    "which receivers are due": lambda s: due_receivers(s.database),
    "a claim of deliveries, their settling, the next of their lanes": settle_some,
    "deliveries claimed for nothing": give_back_some,
    "the end of a hold": lambda s: lift_hold(s.database, "ops", now=NOW),
    "the count of polled batches": lambda s: count_watched(s.database, "s3", limit=3),
    "an earlier look at an account": lambda s: hasten_batches(s.database, "s5", by=NOW),
    "the registration of what was discovered": lambda s: discover_batches(
        s.database, "s4", ["b7", "new"], now=NOW
    ),
    "the removal of a batch": lambda s: unregister_batches(s.database, "s4", ["b7"]),
    "the registration of a batch": lambda s: register_batches(
        s.database, [ONE], origin=Origin.ADDED, now=NOW
    ),
    "the gauges": lambda s: count_due(s.database, now=NOW),
    "the gauge of batches": lambda s: count_batches(s.database),
    "the gauge of deliveries": lambda s: count_pending(s.database),
    "what was not delivered": lambda s: undelivered(s.database),
    "lanes without a head": mend_a_lane,
    "deliveries that are given up": expire,
    "old events": lambda s: prune(s.database, before=NOW - timedelta(days=30)),
    "lists": list_some,
    "a batch": lambda s: read_batch(s.database, "s4", "b7"),
    "batches by the beginning of their id": lambda s: ids_beginning(
        s.database, "s4", "b77", limit=2
    ),
    "how far ids are alike": lambda s: shared_beginnings(s.database, "s4", ["b7"], length=2),
    "whether a source has batches": lambda s: has_batches(s.database, "s4"),
    "which batches are registered": lambda s: registered_among(s.database, "bolna", ["b1", "b2"]),
    "the snapshots of a batch": lambda s: newest_snapshots(s.database, 77, limit=9),
    "the events of a batch": lambda s: newest_events(s.database, 77, limit=9),
    "events by id": lambda s: read_events(s.database, ["evt_7", "evt_8"]),
    "the newest event": lambda s: newest_event_at(s.database),
    "events by the beginning of their id": lambda s: ids_beginning_with(
        s.database, "evt_77", limit=2
    ),
    "a delivery": lambda s: read_delivery(s.database, 77),
    "the deliveries of events": lambda s: deliveries_of_events(s.database, ["evt_7", "evt_8"]),
    "what a delivery waits for": lambda s: lane_head(s.database, 77),
    "what a batch still owes": lambda s: pending_of_batch(s.database, 77),
    "the attempts of a delivery": lambda s: attempts_of(s.database, 77),
    "why a receiver is held": lambda s: last_hold(s.database, "crm"),
    "deliveries owed anew": owe_anew,
    "the deliveries of a receiver": lambda s: find_of_receiver(
        s.database, "crm", state="dead", since=NOW - DAY
    ),
    "a test of a receiver": try_a_receiver,
    "the config's batches": lambda s: declare_batches(s.database, [ONE], now=NOW),
    "batches claimed for nothing": give_batches_back,
    "batches given back": lambda s: release_batches(s.database, owner="one"),
    "deliveries given back": lambda s: release_deliveries(s.database, owner="one", now=NOW),
    "batches of an older program": identify,
    "debts of the gone": lambda s: debts_of_gone(s.database, ["crm"]),
    "debts handed over": lambda s: hand_over(s.database, "ops", to="crm", now=NOW),
    "all batches given back": lambda s: release_batches(s.database, owner=None),
    "all deliveries given back": lambda s: release_deliveries(s.database, owner=None, now=NOW),
    "a clock put back": step_back,
}
