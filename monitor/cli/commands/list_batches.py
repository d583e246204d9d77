"""The overview of all batches: `monitor list`."""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import typer
from rich.text import Text

from monitor.cli.batch_facts import FORGOTTEN, BatchFacts, Polling, sources_of
from monitor.cli.daemon_seen import missing_daemon
from monitor.cli.listing import take, write_array
from monitor.cli.options import Output
from monitor.cli.pace import write_wait
from monitor.cli.page import write_left_open
from monitor.cli.remedy import write_standing
from monitor.cli.screen import put, safe, whole, word, write_short_time
from monitor.cli.session import parse_matchers, reading, run, unknown
from monitor.cli.table import show_table
from monitor.config.load import load
from monitor.config.schema import Config
from monitor.core.batch import Knowledge, Progress, progress
from monitor.core.errors import UnknownNameError
from monitor.core.forecast import Forecast, write_rate
from monitor.core.matching import Matcher, Operator
from monitor.providers import GenericSettings
from monitor.settings import write_duration
from monitor.storage.batches.read import watched_batches
from monitor.storage.database import Database
from monitor.storage.sources import all_sources

_COLUMNS: Final = (
    *("Source", "Batch", "Name", "Phase", "State", "Outcome", "Calls", "Percent", "Pace"),
    *("Origin", "Last poll", "Next poll", "Last error"),
)
_STACKS: Final = (
    ("Source", "Origin"),
    ("Batch", "Name", "Pace", "Last error"),
    ("Phase", "State", "Outcome"),
    ("Calls", "Percent"),
    ("Last poll", "Next poll"),
)


def show(path: Path | None, matchers: Sequence[str], *, limit: int | None, output: str) -> None:
    """List the watched batches that match."""
    config, parsed = load(path), parse_matchers(matchers)
    if output == Output.JSON:
        run(_write_json(config, parsed, limit=limit))
    else:
        run(_show_table(config, parsed, limit=limit))


async def _write_json(config: Config, matchers: Sequence[Matcher], *, limit: int | None) -> None:
    async with reading(config) as database:
        found = _matching(database, config, matchers)
        trouble = await missing_daemon(database)
        await write_array(
            found, lambda batch: json.dumps(batch.document(missing_daemon=trouble)), limit
        )


async def _show_table(config: Config, matchers: Sequence[Matcher], *, limit: int | None) -> None:
    async with reading(config) as database:
        found, more = await take(_matching(database, config, matchers), limit)
        now = await database.now()
        trouble = await missing_daemon(database)
        accounts = await all_sources(database)
    looks = {} if matchers else _looks_every(config)
    named = accounts.keys() & ({batch.watch.batch.source for batch in found} | looks.keys())
    standings = [write_standing(accounts[name], now=now) for name in sorted(named)]
    if not found:
        _put_all(_nothing(config, matchers), *map(_write_look, looks.items()), *standings)
    else:
        rows = [_row(batch, batch.forecast(missing_daemon=trouble), now=now) for batch in found]
        show_table(_COLUMNS, rows, stacks=_STACKS)
        _put_all(more, *_footer(found), *standings)
    if trouble and (found or looks):
        typer.echo(trouble, err=True)


def _put_all(*lines: Text | None) -> None:
    for line in filter(None, lines):
        put(line)


async def _matching(
    database: Database, config: Config, matchers: Sequence[Matcher]
) -> AsyncIterator[BatchFacts]:
    sources, accounts = sources_of(config), await all_sources(database)
    async for view in watched_batches(database):
        name = view.watch.batch.source
        batch = BatchFacts(view=view, source=sources.get(name), account=accounts.get(name))
        if not matchers or all(matcher.matches(batch.facts) for matcher in matchers):
            yield batch


def _row(batch: BatchFacts, found: Forecast | None, *, now: datetime) -> list[Text]:
    watch, measured = batch.watch, progress(batch.watch.known)
    known = watch.known
    return [
        safe(watch.batch.source),
        safe(watch.batch.id),
        safe(batch.data["batch"]["name"] or "", "dim"),
        word(known.phase) if known else safe("not read", "dim"),
        _state(known, now=now) if known else safe(""),
        word(known.outcome if known else None),
        safe(write_calls(measured)),
        safe("" if measured.percent is None else f"{measured.percent:g}%"),
        safe(_pace(found, now=now)),
        safe(watch.batch.origin.value, "dim"),
        whole(write_short_time(watch.last_poll_at)),
        _next_poll(batch),
        safe(batch.last_error, "red"),
    ]


def _state(known: Knowledge, *, now: datetime) -> Text:
    """Write for how long it stalls, or is overdue, or how many calls its end left open."""
    if known.stalled_at is not None:
        return safe(f"stalled {write_wait(now - known.changed_at)}", "red")
    if known.is_overdue and known.scheduled_at is not None:
        return safe(f"overdue {write_wait(now - known.scheduled_at)}", "red")
    return safe(write_left_open(known), "yellow")


def _pace(found: Forecast | None, *, now: datetime) -> str:
    """Write `25/min, ends in 12 min`; an end that nobody can tell or that is over is left out."""
    if found is None:
        return ""
    pace = f"{write_rate(found.calls_per_minute)}/min"
    if found.ends_at is None or found.ends_at <= now:
        return pace
    return f"{pace}, ends in {write_wait(found.ends_at - now)}"


def write_calls(measured: Progress) -> str:
    """Write how many calls of how many are finished: `5/7`; `7` where only the total is known."""
    if measured.total is None:
        return ""
    finished = "?" if measured.finished is None else f"{measured.finished:,}"
    return f"{finished}/{measured.total:,}"


def _next_poll(batch: BatchFacts) -> Text:
    if batch.polling is not Polling.POLLED:
        return safe(batch.polling, "yellow" if batch.polling is Polling.NO_SOURCE else "dim")
    return whole(write_short_time(batch.next_poll_at), "dim")


def _nothing(config: Config, matchers: Sequence[Matcher]) -> Text:
    if matchers:
        wrong = (f"{error}; " for error in _unknown_sources(config, matchers))
        return safe(f"no watched batch matches; {''.join(wrong)}`monitor list` shows all")
    source = next(iter(config.sources), None)
    if source is None:
        return safe("no batches yet: give the config a source (see `monitor init`), then `add`")
    return safe(f"no batches yet: `monitor add {source} ID` watches one")


def _write_look(look: tuple[str, timedelta]) -> Text:
    name, every = look
    return safe(f"discovery looks for batches of {name} every {write_duration(every)}")


def _looks_every(config: Config) -> dict[str, timedelta]:
    return {
        name: source.discover.every
        for name, source in config.sources.items()
        if not isinstance(source, GenericSettings) and source.discover is not None
    }


def _unknown_sources(config: Config, matchers: Sequence[Matcher]) -> Iterator[UnknownNameError]:
    for matcher in matchers:
        named = matcher.name == "source" and matcher.op is Operator.EQUAL
        if named and matcher.value not in config.sources:
            yield unknown("source", matcher.value, config.sources)


def _footer(found: Sequence[BatchFacts]) -> Iterator[Text]:
    if any(batch.polling is Polling.FORGOTTEN for batch in found):
        yield safe(f"forgotten: {FORGOTTEN}", "dim")
