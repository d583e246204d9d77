"""One batch on a page: `monitor show`."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import typer
from rich.text import Text

from monitor.cli.batch_facts import FORGOTTEN, BatchFacts, Polling, find_batch
from monitor.cli.commands.batch_page import BatchPage, read_batch_page
from monitor.cli.commands.timeline import LEGEND, draw_timeline
from monitor.cli.delivery_facts import DeliveryFacts
from monitor.cli.event_summary import summarise
from monitor.cli.options import Output
from monitor.cli.pace import write_forecast
from monitor.cli.page import (
    draw_progress,
    show_heading,
    show_page,
    write_contacts,
    write_counts,
    write_labels,
    write_phase,
)
from monitor.cli.remedy import write_failing
from monitor.cli.screen import (
    make_console,
    put,
    safe,
    whole,
    word,
    write_json,
    write_short_time,
    write_time,
)
from monitor.cli.session import reading, run
from monitor.cli.table import show_table
from monitor.config.load import load
from monitor.config.schema import Config
from monitor.core.batch import progress
from monitor.storage.batches.read import SnapshotView

SHOWN: Final = 10
_WIDEST_TIMELINE: Final = 160
_PIPED_TIMELINE: Final = 80
_NOT_POLLED: Final = {
    Polling.REMOVED: "removed; `monitor add` watches it again",
    Polling.NO_SOURCE: "no source: the config has none of this name, so it is not polled",
    Polling.FORGOTTEN: f"forgotten: {FORGOTTEN}",
}


def show(path: Path | None, source: str, batch_id: str, *, limit: int | None, output: str) -> None:
    """Show one batch, removed or not."""
    run(_show(load(path), source, batch_id, limit=limit or SHOWN, output=output))


async def _show(config: Config, source: str, batch_id: str, *, limit: int, output: str) -> None:
    async with reading(config) as database:
        batch = await find_batch(database, config, source, batch_id)
        page = await read_batch_page(database, config, batch, limit=limit)
    if output == Output.JSON:
        write_json(page.document(limit))
        return
    _show_batch(page)
    _show_timeline(page)
    _show_snapshots(page.snapshots[:limit])
    _show_events(page)
    _show_pending(page.pending)
    if page.missing_daemon:
        typer.echo(page.missing_daemon, err=True)


def _show_batch(page: BatchPage) -> None:
    batch = page.batch
    watch, data = batch.watch, batch.data
    known, failures = watch.known, watch.failures
    error = batch.last_error
    if error and failures.since is not None:
        error += f", since {write_time(failures.since)}"
    show_page(
        Text.assemble(safe(watch.batch.source), " ", safe(watch.batch.id, "bold")),
        [
            ("name", safe(data["batch"]["name"] or "")),
            ("phase", write_phase(known)),
            ("status", safe(known.status if known else "")),
            ("progress", draw_progress(progress(known))),
            ("pace", safe(write_forecast(page.forecast, now=datetime.now(UTC)))),
            ("calls", write_counts(known.counts if known else None)),
            ("contacts", write_contacts(known)),
            ("labels", write_labels(data["batch"]["labels"])),
            ("origin", safe(watch.batch.origin.value)),
            ("scheduled", safe(write_time(known.scheduled_at if known else None))),
            ("last change", safe(write_time(known.changed_at if known else None))),
            ("last poll", safe(write_time(watch.last_poll_at) or "none yet")),
            ("last error", safe(error, "red")),
            ("unreachable", safe(_since(failures.unreachable_since), "red")),
            ("source", safe(write_failing(batch.account) if batch.account else "", "red")),
            ("next poll", safe(_write_next_poll(batch))),
        ],
    )


def _write_next_poll(batch: BatchFacts) -> str:
    if batch.polling is not Polling.POLLED:
        return _NOT_POLLED[batch.polling]
    at = write_time(batch.next_poll_at)
    if not batch.source_fails:
        return at
    return f"{at} at the earliest: a failing source is probed once a minute, batch by batch"


def _since(at: datetime | None) -> str:
    return "" if at is None else f"since {write_time(at)}"


def _show_timeline(page: BatchPage) -> None:
    known = page.batch.watch.known
    if known is None or not page.snapshots:
        return
    console = make_console()
    lines = draw_timeline(
        page.snapshots[::-1],
        until=known.settled_at or page.batch.watch.observed_at or known.changed_at,
        width=min(console.width, _WIDEST_TIMELINE) if console.is_terminal else _PIPED_TIMELINE,
    )
    if lines:
        show_heading(f"Timeline: {LEGEND}")
        put(Text("\n").join(lines))


def _show_snapshots(snapshots: Sequence[SnapshotView]) -> None:
    if not snapshots:
        return
    show_heading("Snapshots, the newest first")
    rows = [
        [
            safe(snapshot.number),
            whole(write_short_time(snapshot.at)),
            safe(snapshot.status),
            word(snapshot.phase),
            write_counts(snapshot.counts),
        ]
        for snapshot in snapshots
    ]
    columns = ("#", "Time", "Status", "Phase", "Calls")
    show_table(columns, rows, stacks=(("#",), ("Time",), ("Status", "Phase"), ("Calls",)))


def _show_events(page: BatchPage) -> None:
    if not page.events:
        return
    show_heading("Events, the newest first")
    rows = [
        [
            safe(event.sequence),
            whole(write_short_time(event.at)),
            safe(document["type"]),
            safe(summarise(document)),
            Text(", ").join(
                delivery.brief for delivery in page.deliveries if delivery.view.event_id == event.id
            ),
            safe(event.id, "dim"),
        ]
        for event, document in ((event, json.loads(event.body)) for event in page.events)
    ]
    columns = ("#", "Time", "Type", "What", "Deliveries", "Event")
    stacks = (("#",), ("Time", "Deliveries"), ("Type", "What", "Event"))
    show_table(columns, rows, stacks=stacks, cut="What")


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
