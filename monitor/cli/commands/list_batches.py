"""The overview of all batches: `monitor list`."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import typer
from rich.text import Text

from monitor.cli.batch_facts import FORGOTTEN, BatchFacts, sources_of
from monitor.cli.listing import take, write_array
from monitor.cli.liveness import missing_daemon
from monitor.cli.options import Output
from monitor.cli.remedy import describe, describe_failures
from monitor.cli.screen import safe, word, write_short_time
from monitor.cli.screen import show as show_text
from monitor.cli.session import parse_matchers, reading, run
from monitor.cli.table import show_table
from monitor.config.load import load
from monitor.config.schema import Config
from monitor.core.batch import Progress, Watch, progress
from monitor.core.matching import Matcher
from monitor.storage.database import Database
from monitor.storage.queries import source_rows, watched_batches
from monitor.storage.sources import SourceRow

_COLUMNS: Final = (
    *("Source", "Batch", "Name", "Phase", "Outcome", "Calls", "Percent", "Origin"),
    *("Last poll", "Next poll", "Last error"),
)
_STACKS: Final = (
    ("Source", "Origin"),
    ("Batch", "Name", "Last error"),
    ("Phase", "Outcome"),
    ("Calls", "Percent"),
    ("Last poll", "Next poll"),
)


def show(path: Path | None, matchers: Sequence[str], *, limit: str | None, output: str) -> None:
    """List the watched batches that match."""
    config, parsed = load(path), parse_matchers(matchers)
    if output == Output.JSON:
        run(_write_json(config, parsed, limit=limit))
    else:
        run(_show_table(config, parsed, limit=limit))


async def _write_json(config: Config, matchers: Sequence[Matcher], *, limit: str | None) -> None:
    async with reading(config) as database:
        found = _matching(database, config, matchers)
        await write_array(found, lambda batch: json.dumps(batch.document()), limit)


async def _show_table(config: Config, matchers: Sequence[Matcher], *, limit: str | None) -> None:
    async with reading(config) as database:
        found, more = await take(_matching(database, config, matchers), limit)
        sources = await source_rows(database)
        now = await database.now()
        trouble = await missing_daemon(database)
    if not found:
        show_text(_nothing(config, matchers))
        return
    show_table(_COLUMNS, [_row(batch) for batch in found], stacks=_STACKS)
    for line in (more, *_footer(found, sources, now=now)):
        if line:
            show_text(line)
    if trouble:
        typer.echo(trouble, err=True)


async def _matching(
    database: Database, config: Config, matchers: Sequence[Matcher]
) -> AsyncIterator[BatchFacts]:
    sources = sources_of(config)
    async for view in watched_batches(database):
        batch = BatchFacts(view=view, source=sources.get(view.watch.batch.source))
        if not matchers or all(matcher.matches(batch.facts) for matcher in matchers):
            yield batch


def _row(batch: BatchFacts) -> list[Text]:
    watch, measured = batch.watch, progress(batch.watch.known)
    known = watch.known
    return [
        safe(watch.batch.source),
        safe(watch.batch.id),
        safe(batch.data["batch"]["name"] or "", "dim"),
        word(known.phase) if known else safe("not read", "dim"),
        word(known.outcome if known else None),
        safe(write_calls(measured)),
        safe("" if measured.percent is None else f"{measured.percent:g}%"),
        safe(watch.batch.origin.value, "dim"),
        safe(write_short_time(watch.last_poll_at)),
        _next_poll(batch),
        safe(_error(watch), "red"),
    ]


def write_calls(measured: Progress) -> str:
    """Write how many calls of how many are finished: `5/7`; `7` where only the total is known."""
    if measured.total is None:
        return ""
    finished = "?" if measured.finished is None else f"{measured.finished:,}"
    return f"{finished}/{measured.total:,}"


def _next_poll(batch: BatchFacts) -> Text:
    if batch.polled != "polled":
        return safe(batch.polled, "yellow" if batch.polled == "no source" else "dim")
    return safe(write_short_time(batch.next_poll_at), "dim")


def _error(watch: Watch) -> str:
    return describe_failures(watch.failures, read_before=watch.known is not None)


def _nothing(config: Config, matchers: Sequence[Matcher]) -> Text:
    if matchers:
        return safe("no watched batch matches; `monitor list` shows all")
    source = next(iter(config.sources), None)
    if source is None:
        return safe("no batches yet: give the config a source (see `monitor init`), then `add`")
    return safe(f"no batches yet: `monitor add {source} ID` watches one")


def _footer(
    found: Sequence[BatchFacts], sources: Mapping[str, SourceRow], *, now: datetime
) -> list[Text]:
    lines = []
    if any(batch.polled == "forgotten" for batch in found):
        lines.append(safe(f"forgotten: {FORGOTTEN}", "dim"))
    names = {batch.watch.batch.source for batch in found}
    lines += [write_standing(sources[name], now=now) for name in sorted(names & sources.keys())]
    return lines


def write_standing(source: SourceRow, *, now: datetime) -> Text:
    """Write what is wrong with an account: it fails, or a 429 pauses it; empty for nothing."""
    health, paused_until = source.health, source.blocked_until
    if health.failing_since is not None and health.kind is not None:
        since = write_short_time(health.failing_since)
        why = describe(health.kind, health.status_code)
        return safe(f"{source.name} is failing since {since}: {why}", "red")
    if paused_until is not None and paused_until > now:
        until = write_short_time(paused_until)
        return safe(f"{source.name} is paused until {until}: too many requests (429)", "yellow")
    return Text()
