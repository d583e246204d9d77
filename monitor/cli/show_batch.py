"""The page of one batch, with its timeline, snapshots, events and deliveries."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import typer
from rich.text import Text

from monitor.cli.options import Output
from monitor.cli.session import reading
from monitor.config.schema import Config
from monitor.core.batch import progress
from monitor.facts.batch import NOT_POLLED, BatchFacts, Polling, find_batch
from monitor.facts.batch_page import ENOUGH, BatchPage, read_batch_page
from monitor.facts.calls import write_contacts, write_counts
from monitor.facts.delivery import DeliveryFacts
from monitor.facts.event_id import short_id
from monitor.facts.event_summary import summarise
from monitor.facts.hours import write_hours
from monitor.facts.pace import write_forecast
from monitor.facts.remedy import write_failing
from monitor.facts.times import write_clock, write_time
from monitor.screen.console import is_piped, make_console, put, safe, say, word
from monitor.screen.documents import write_json
from monitor.screen.page import (
    draw_progress,
    list_words,
    show_heading,
    show_page,
    write_labels,
    write_phase,
    write_standing,
)
from monitor.screen.table import Row, show_table
from monitor.screen.timeline import LEGEND, draw_timeline

SHOWN: Final = 10
_WIDEST_TIMELINE: Final = 160
_PIPED_TIMELINE: Final = 80


async def show(
    config: Config, source: str, batch_id: str, *, limit: int | None, output: str
) -> None:
    """Show one batch, removed or not."""
    limit = limit or SHOWN
    async with reading(config) as database:
        batch = await find_batch(database, config, source, batch_id)
        page = await read_batch_page(database, config, batch, limit=limit)
    if output == Output.JSON:
        write_json(page.document(limit))
        return
    _show_batch(page)
    _show_timeline(page)
    now = datetime.now(UTC)
    _show_snapshots(page, limit, now=now)
    _show_events(page, now=now)
    _show_pending(page.pending)
    if page.missing_daemon:
        typer.echo(page.missing_daemon, err=True)


def _show_batch(page: BatchPage) -> None:
    batch, watch = page.batch, page.batch.watch
    known, failures, now = watch.known, watch.failures, datetime.now(UTC)
    error = batch.last_error
    if error and failures.since is not None:
        error += f", since {write_time(failures.since)}"
    unreachable_since = write_time(failures.unreachable_since)
    show_page(
        Text.assemble(safe(watch.batch.source), " ", safe(watch.batch.id, "bold")),
        [
            ("name", batch.name),
            ("phase", write_phase(known)),
            ("status", known.status if known else ""),
            ("progress", draw_progress(progress(known))),
            ("pace", write_forecast(batch.forecast(page.missing_daemon), now=now)),
            ("calls", write_counts(known.counts if known else None)),
            ("contacts", write_contacts(known)),
            ("labels", write_labels(batch.data["batch"]["labels"])),
            ("origin", watch.batch.origin.value),
            ("scheduled", write_time(known.scheduled_at if known else None)),
            ("hours", write_hours(known, now=now)),
            ("last change", write_time(known.changed_at if known else None)),
            ("last poll", write_time(watch.last_poll_at) or "none yet"),
            ("last error", safe(error, "red")),
            ("unreachable", safe(unreachable_since and f"since {unreachable_since}", "red")),
            ("source", safe(write_failing(batch.account) if batch.account else "", "red")),
            ("next poll", _write_next_poll(batch)),
        ],
    )


def _write_next_poll(batch: BatchFacts) -> str:
    if batch.polling is not Polling.POLLED:
        return NOT_POLLED[batch.polling]
    at = write_time(batch.next_poll_at)
    if not batch.source_fails:
        return at
    return f"{at} at the earliest: a failing source is probed once a minute, batch by batch"


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
        cut = len(page.snapshots) >= ENOUGH and page.snapshots[-1].number > 1
        of = f", of the newest {len(page.snapshots):,} snapshots" if cut else ""
        show_heading(f"Timeline: {LEGEND}{of}")
        put(Text("\n").join(lines))


def _title(what: str, shown: int, *, more: bool) -> str:
    """Write a heading that says whether all are shown."""
    return (
        f"{what}, the newest {shown}; --limit N shows more" if more else f"{what}, the newest first"
    )


def _show_snapshots(page: BatchPage, limit: int, *, now: datetime) -> None:
    rows: list[Row] = [
        {
            "#": str(snapshot.number),
            f"Time {now.astimezone():%Z}": write_clock(snapshot.at, now=now),
            "Status": snapshot.status,
            "Phase": word(snapshot.phase),
            "Calls": write_counts(snapshot.counts),
        }
        for snapshot in page.snapshots[:limit]
    ]
    title = _title("Snapshots", limit, more=page.more_snapshots(limit))
    show_table(rows, fold=("Calls",), heading=title)


def _show_events(page: BatchPage, *, now: datetime) -> None:
    rows: list[Row] = [
        {
            "#": str(event.sequence),
            f"Time {now.astimezone():%Z}": write_clock(event.at, now=now),
            "Type": document["type"],
            "What": summarise(document),
            "Deliveries": list_words(*map(_write_delivery, page.deliveries_of(event))),
            "Event": safe(event.id if is_piped() else short_id(event.id), "dim"),
        }
        for event, document in ((event, json.loads(event.body)) for event in page.events)
    ]
    title = _title("Events", len(rows), more=page.more_events)
    show_table(rows, fold=("What", "Deliveries"), heading=title)


def _write_delivery(delivery: DeliveryFacts) -> Text:
    """Write the receiver and how it fares in a word: `crm 0.2 s`, `ops held`."""
    return Text.assemble(safe(delivery.view.receiver), " ", say(delivery.brief))


def _show_pending(pending: Sequence[DeliveryFacts]) -> None:
    rows: list[Row] = [
        {
            "Delivery": str(delivery.view.row),
            "Receiver": delivery.view.receiver,
            "Type": delivery.view.event_type,
            "Attempts": str(delivery.view.attempts),
            "State": write_standing(delivery),
        }
        for delivery in pending
    ]
    show_table(rows, fold=("State",), heading="Deliveries pending")
