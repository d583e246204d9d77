"""The page of one batch: all that is stored of it, and its JSON."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from monitor.config.schema import Config
from monitor.core.event import stamp
from monitor.facts.batch import BatchFacts
from monitor.facts.daemon_seen import missing_daemon
from monitor.facts.delivery import DeliveryFacts
from monitor.storage.batches.read import SnapshotView, newest_snapshots
from monitor.storage.database import Database
from monitor.storage.deliveries.read import deliveries_of_events, pending_of_batch
from monitor.storage.events.read import EventView, newest_events

ENOUGH = 1000
"""Snapshots that a timeline looks back to at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPage:
    """What is known of one batch; snapshots and events are the newest first."""

    batch: BatchFacts
    snapshots: Sequence[SnapshotView]
    events: Sequence[EventView]
    deliveries: Sequence[DeliveryFacts]
    """Of these events."""
    pending: Sequence[DeliveryFacts]
    more_events: bool
    """There are older ones."""
    missing_daemon: str

    def deliveries_of(self, event: EventView) -> list[DeliveryFacts]:
        """Return the deliveries of one event."""
        return [one for one in self.deliveries if one.view.event_id == event.id]

    def more_snapshots(self, limit: int) -> bool:
        """Return whether there are more snapshots than so many."""
        return len(self.snapshots) > limit

    def document(self, limit: int) -> dict[str, Any]:
        """Lay it out as JSON."""
        return {
            **self.batch.document(self.missing_daemon),
            "snapshots": [_snapshot_document(one) for one in self.snapshots[:limit]],
            "more_snapshots": self.more_snapshots(limit),
            "events": [json.loads(event.body) for event in self.events],
            "more_events": self.more_events,
            "deliveries": [delivery.document() for delivery in self.deliveries],
            "pending_deliveries": [delivery.document() for delivery in self.pending],
        }


async def read_batch_page(
    database: Database, config: Config, batch: BatchFacts, *, limit: int
) -> BatchPage:
    """Read the newest events and snapshots, and of the latter enough for a timeline."""
    row = batch.watch.batch.row
    found = await newest_events(database, row, limit=limit + 1)
    events = found[:limit]
    owed = await deliveries_of_events(database, [event.id for event in events])
    pending = await pending_of_batch(database, row)
    return BatchPage(
        batch=batch,
        snapshots=await newest_snapshots(database, row, limit=max(limit + 1, ENOUGH)),
        events=events,
        deliveries=[DeliveryFacts.of(view, config) for view in owed],
        pending=[DeliveryFacts.of(view, config) for view in pending],
        more_events=len(found) > limit,
        missing_daemon=await missing_daemon(database),
    )


def _snapshot_document(snapshot: SnapshotView) -> dict[str, Any]:
    return {
        "number": snapshot.number,
        "at": stamp(snapshot.at),
        "status": snapshot.status,
        "phase": snapshot.phase.value,
        "counts": snapshot.counts,
        "open": snapshot.open_calls,
        "total_contacts": snapshot.total_contacts,
        "valid_contacts": snapshot.valid_contacts,
    }
