"""The overview of all batches."""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime
from typing import Final

import typer
from rich.text import Text

from monitor.cli.options import Output
from monitor.cli.session import parse_matchers, reading
from monitor.config.schema import Config
from monitor.core.batch import Knowledge, progress
from monitor.core.forecast import Forecast
from monitor.core.matching import Matcher, Operator
from monitor.facts.batch import NOT_POLLED, BatchFacts, Polling, sources_of
from monitor.facts.calls import write_calls, write_left_open, write_percent
from monitor.facts.daemon_seen import missing_daemon
from monitor.facts.names import unknown
from monitor.facts.pace import write_forecast
from monitor.facts.remedy import describe_account
from monitor.facts.sentence import Sentence, Tone
from monitor.facts.times import write_short_time, write_wait
from monitor.screen.console import put, safe, whole, word
from monitor.screen.documents import write_array
from monitor.screen.listing import take
from monitor.screen.table import Row, show_table
from monitor.setting_types import write_duration
from monitor.storage.batches.read import watched_batches
from monitor.storage.database import Database
from monitor.storage.sources import all_sources

_STACKS: Final = (
    ("Source", "Origin"),
    ("Batch", "Name", "Pace", "Last error"),
    ("Phase", "State", "Outcome"),
    ("Calls", "Percent"),
    ("Last poll", "Next poll"),
)
_FORGOTTEN: Final = Sentence(NOT_POLLED[Polling.FORGOTTEN], Tone.ASIDE)


async def list_batches(
    config: Config, texts: Sequence[str], *, limit: int | None, output: str
) -> None:
    """List the watched batches that match."""
    matchers = parse_matchers(texts)
    async with reading(config) as database:
        trouble = await missing_daemon(database)
        matching = _matching(database, config, matchers)
        if output == Output.JSON:
            await write_array(matching, lambda one: json.dumps(one.document(trouble)), limit)
            return
        found, more = await take(matching, limit)
        now, accounts = await database.now(), await all_sources(database)
    looks = {} if matchers else _looks(config)
    named = accounts.keys() & ({batch.watch.batch.source for batch in found} | looks.keys())
    standings = [one for name in sorted(named) for one in describe_account(accounts[name], now=now)]
    if found:
        rows = [_row(batch, batch.forecast(trouble), now=now) for batch in found]
        show_table(rows, stacks=_STACKS)
        forgotten = any(batch.polling is Polling.FORGOTTEN for batch in found)
        put(*more, *([_FORGOTTEN] if forgotten else []), *standings)
    else:
        put(_nothing(config, matchers), *looks.values(), *standings)
    if trouble and (found or looks):
        typer.echo(trouble, err=True)


async def _matching(
    database: Database, config: Config, matchers: Sequence[Matcher]
) -> AsyncIterator[BatchFacts]:
    sources, accounts = sources_of(config), await all_sources(database)
    async for view in watched_batches(database):
        name = view.watch.batch.source
        batch = BatchFacts(view=view, source=sources.get(name), account=accounts.get(name))
        if not matchers or all(matcher.matches(batch.facts) for matcher in matchers):
            yield batch


def _row(batch: BatchFacts, found: Forecast | None, *, now: datetime) -> Row:
    watch, known = batch.watch, batch.watch.known
    measured = progress(known)
    return {
        "Source": watch.batch.source,
        "Batch": watch.batch.id,
        "Name": safe(batch.name, "dim"),
        "Phase": word(known.phase) if known else safe("not read", "dim"),
        "State": _state(known, now=now) if known else "",
        "Outcome": word(known.outcome if known else None),
        "Calls": write_calls(measured),
        "Percent": write_percent(measured),
        "Pace": write_forecast(found, now=now, short=True),
        "Origin": safe(watch.batch.origin.value, "dim"),
        "Last poll": whole(write_short_time(watch.last_poll_at)),
        "Next poll": _next_poll(batch),
        "Last error": safe(batch.last_error, "red"),
    }


def _state(known: Knowledge, *, now: datetime) -> Text:
    """Write for how long it stalls, or is overdue, or how many calls its end left open."""
    if known.stalled_at is not None:
        return safe(f"stalled {write_wait(now - known.changed_at)}", "red")
    if known.is_overdue and known.scheduled_at is not None:
        return safe(f"overdue {write_wait(now - known.scheduled_at)}", "red")
    return safe(write_left_open(known), "yellow")


def _next_poll(batch: BatchFacts) -> Text:
    if batch.polling is not Polling.POLLED:
        return safe(batch.polling, "yellow" if batch.polling is Polling.NO_SOURCE else "dim")
    return whole(write_short_time(batch.next_poll_at), "dim")


def _nothing(config: Config, matchers: Sequence[Matcher]) -> Sentence:
    if matchers:
        wrong = "".join(_unknown_sources(config, matchers))
        return Sentence(f"no watched batch matches; {wrong}`monitor list` shows all")
    source = next(iter(config.sources), None)
    if source is None:
        return Sentence("no batches yet: give the config a source (see `monitor init`), then `add`")
    return Sentence(f"no batches yet: `monitor add {source} ID` watches one")


def _looks(config: Config) -> dict[str, Sentence]:
    """Write by source how often discovery looks for its batches."""
    return {
        name: Sentence(
            f"discovery looks for batches of {name} every {write_duration(source.discover.every)}"
        )
        for name, source in config.sources.items()
        if source.discover is not None
    }


def _unknown_sources(config: Config, matchers: Sequence[Matcher]) -> Iterator[str]:
    for matcher in matchers:
        named = matcher.name == "source" and matcher.op is Operator.EQUAL
        if named and matcher.value not in config.sources:
            yield f"{unknown('source', matcher.value, config.sources)}; "
