"""The portrait of one batch: `monitor show`."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from rich.text import Text

from monitor.cli.batch_facts import FORGOTTEN, BatchFacts, sources_of
from monitor.cli.delivery_facts import DeliveryFacts
from monitor.cli.event_summary import summarise
from monitor.cli.options import Output
from monitor.cli.page import (
    draw_progress,
    show_heading,
    show_page,
    write_contacts,
    write_counts,
    write_labels,
)
from monitor.cli.remedy import describe_failures
from monitor.cli.screen import safe, word, write_json, write_time
from monitor.cli.session import reading, run, unknown
from monitor.cli.table import show_table
from monitor.config.load import load
from monitor.config.schema import Config
from monitor.core.batch import progress
from monitor.core.errors import UnknownNameError
from monitor.core.event import stamp
from monitor.storage.database import Database
from monitor.storage.delivery_queries import pending_of_batch
from monitor.storage.queries import (
    EventView,
    SnapshotView,
    has_batches,
    newest_events,
    newest_snapshots,
    read_batch,
)

SHOWN: Final = 10
_POLLED: Final = {
    "removed": "removed; `monitor add` watches it again",
    "no source": "no source: the config has none of this name, so it is not polled",
    "forgotten": f"forgotten: {FORGOTTEN}",
}


def show(path: Path | None, source: str, batch_id: str, *, limit: str | None, output: str) -> None:
    """Show one batch, removed or not."""
    run(_show(load(path), source, batch_id, limit=int(limit or SHOWN), output=output))


async def _show(config: Config, source: str, batch_id: str, *, limit: int, output: str) -> None:
    async with reading(config) as database:
        batch = await _find(database, config, source, batch_id)
        row = batch.watch.batch.row
        snapshots = await newest_snapshots(database, row, limit=limit)
        events = await newest_events(database, row, limit=limit)
        owed = await pending_of_batch(database, row)
    pending = [
        DeliveryFacts(view=view, configured=view.receiver in config.receivers) for view in owed
    ]
    if output == Output.JSON:
        write_json(_document(batch, snapshots, events, pending))
        return
    _show_batch(batch)
    _show_snapshots(snapshots)
    _show_events(events)
    _show_pending(pending)


async def _find(database: Database, config: Config, source: str, batch_id: str) -> BatchFacts:
    view = await read_batch(database, source, batch_id)
    if view is not None:
        return BatchFacts(view=view, source=sources_of(config).get(source))
    if source not in config.sources and not await has_batches(database, source):
        raise unknown("source", source, config.sources)
    raise UnknownNameError(
        f"{source} has no batch {batch_id!r}: `monitor list 'source = {source}'` shows those it has"
    )


def _document(
    batch: BatchFacts,
    snapshots: Sequence[SnapshotView],
    events: Sequence[EventView],
    pending: Sequence[DeliveryFacts],
) -> dict[str, Any]:
    return {
        **batch.document(),
        "snapshots": [_snapshot_document(snapshot) for snapshot in snapshots],
        "events": [json.loads(event.body) for event in events],
        "pending_deliveries": [delivery.document() for delivery in pending],
    }


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


def _show_batch(batch: BatchFacts) -> None:
    watch, data = batch.watch, batch.data
    known, failures = watch.known, watch.failures
    error = describe_failures(failures, read_before=known is not None)
    if error and failures.since is not None:
        error += f", since {write_time(failures.since)}"
    show_page(
        Text.assemble(safe(watch.batch.source), " ", safe(watch.batch.id, "bold")),
        [
            ("name", safe(data["batch"]["name"] or "")),
            ("phase", _phase(batch)),
            ("status", safe(known.status if known else "")),
            ("progress", draw_progress(progress(known))),
            ("calls", write_counts(known.counts if known else None)),
            ("contacts", write_contacts(known)),
            ("labels", write_labels(data["batch"]["labels"])),
            ("origin", safe(watch.batch.origin.value)),
            ("scheduled", safe(write_time(known.scheduled_at if known else None))),
            ("last change", safe(write_time(known.changed_at if known else None))),
            ("last poll", safe(write_time(watch.last_poll_at) or "none yet")),
            ("last error", safe(error, "red")),
            ("unreachable", safe(_since(failures.unreachable_since), "red")),
            ("next poll", safe(_POLLED.get(batch.polled) or write_time(batch.next_poll_at))),
        ],
    )


def _phase(batch: BatchFacts) -> Text:
    known = batch.watch.known
    if known is None:
        return safe("not read yet", "dim")
    parts = [word(known.phase), word(known.outcome)]
    if known.settled_at is not None:
        parts.append(safe(f"settled {write_time(known.settled_at)}"))
    elif known.outcome is not None:
        parts.append(safe("not settled"))
    return Text(", ").join(part for part in parts if part)


def _since(at: datetime | None) -> str:
    return "" if at is None else f"since {write_time(at)}"


def _show_snapshots(snapshots: Sequence[SnapshotView]) -> None:
    if not snapshots:
        return
    show_heading("Snapshots, the newest first")
    rows = [
        [
            safe(snapshot.number),
            safe(write_time(snapshot.at)),
            safe(snapshot.status),
            word(snapshot.phase),
            write_counts(snapshot.counts),
        ]
        for snapshot in snapshots
    ]
    columns = ("#", "Time", "Status", "Phase", "Calls")
    show_table(columns, rows, stacks=(("#",), ("Time",), ("Status", "Phase"), ("Calls",)))


def _show_events(events: Sequence[EventView]) -> None:
    if not events:
        return
    show_heading("Events, the newest first")
    documents = [(event, json.loads(event.body)) for event in events]
    rows = [
        [
            safe(event.sequence),
            safe(write_time(event.at)),
            safe(document["type"]),
            safe(summarise(document)),
            safe(event.id, "dim"),
        ]
        for event, document in documents
    ]
    columns = ("#", "Time", "Type", "What", "Event")
    show_table(columns, rows, stacks=(("#",), ("Time",), ("Type", "What", "Event")))


def _show_pending(pending: Sequence[DeliveryFacts]) -> None:
    if not pending:
        return
    show_heading("Deliveries pending")
    rows = [
        [
            safe(delivery.view.row),
            safe(delivery.view.receiver),
            safe(delivery.view.event_type),
            safe(delivery.view.attempts),
            delivery.standing,
        ]
        for delivery in pending
    ]
    columns = ("Delivery", "Receiver", "Type", "Attempts", "State")
    show_table(
        columns,
        rows,
        stacks=(("Delivery",), ("Receiver", "Type"), ("Attempts",), ("State",)),
    )
