"""The overview of all batches: `monitor list`."""

import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

from rich.text import Text

from monitor.cli.batch_facts import FORGOTTEN, BatchFacts, sources_of
from monitor.cli.options import Output
from monitor.cli.remedy import describe, describe_failures
from monitor.cli.screen import json_array, safe, word, write_short_time
from monitor.cli.screen import show as show_text
from monitor.cli.session import parse_matchers, reading, run
from monitor.cli.table import show_table
from monitor.config.load import load
from monitor.config.schema import Config
from monitor.core.batch import Progress, Watch, progress
from monitor.core.matching import Matcher
from monitor.core.source import Health
from monitor.storage.database import Database
from monitor.storage.queries import source_healths, watched_batches

TABLE_LIMIT: Final = 100
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
        run(_write_json(config, parsed, limit=None if limit is None else int(limit)))
    else:
        run(_show_table(config, parsed, limit=int(limit or TABLE_LIMIT)))


async def _write_json(config: Config, matchers: Sequence[Matcher], *, limit: int | None) -> None:
    async with reading(config) as database:
        with json_array() as write:
            number = 0
            async for batch in _matching(database, config, matchers):
                write(json.dumps(batch.document()))
                number += 1
                if number == limit:
                    break


async def _show_table(config: Config, matchers: Sequence[Matcher], *, limit: int) -> None:
    found: list[BatchFacts] = []
    async with reading(config) as database:
        async for batch in _matching(database, config, matchers):
            found.append(batch)
            if len(found) > limit:
                break
        healths = await source_healths(database)
    if not found:
        show_text(_nothing(config, matchers))
        return
    rows = [_row(batch) for batch in found[:limit]]
    show_table(_COLUMNS, rows, stacks=_STACKS)
    for line in _footer(found, healths, limit=limit):
        show_text(line)


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


def _footer(found: Sequence[BatchFacts], healths: dict[str, Health], *, limit: int) -> list[Text]:
    lines = []
    if len(found) > limit:
        lines.append(safe(f"the newest {limit}; --limit N shows more, -o json all", "dim"))
    if any(batch.polled == "forgotten" for batch in found[:limit]):
        lines.append(safe(f"forgotten: {FORGOTTEN}", "dim"))
    for name in sorted({batch.watch.batch.source for batch in found[:limit]}):
        health = healths.get(name, Health())
        if health.failing_since is not None and health.kind is not None:
            since = write_short_time(health.failing_since)
            why = describe(health.kind, health.status_code)
            lines.append(safe(f"{name} is failing since {since}: {why}", "red"))
    return lines
