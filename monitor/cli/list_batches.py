"""The overview of all batches."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime
from typing import Final

import typer
from rich.text import Text

from monitor.cli.next_step import command
from monitor.cli.options import Output
from monitor.cli.session import parse_matchers, reading
from monitor.config.schema import Config
from monitor.config.unmatched import write_unmatched
from monitor.core.batch import Knowledge, progress
from monitor.core.matching import Matcher, Operator
from monitor.facts.batch import NOT_POLLED, BatchFacts, Polling, all_batches
from monitor.facts.batch_id import short_ids
from monitor.facts.calls import write_calls, write_left_open, write_percent, write_share
from monitor.facts.daemon_seen import missing_daemon
from monitor.facts.lateness import describe_lateness
from monitor.facts.names import unknown
from monitor.facts.pace import write_course, write_forecast
from monitor.facts.remedy import describe_account
from monitor.facts.sentence import Sentence, Tone
from monitor.facts.times import write_clock, write_short_time
from monitor.facts.trouble import BatchCounts, take_watched, troubles_of, write_troubles
from monitor.screen.console import has_room, is_piped, put, safe, word
from monitor.screen.documents import write_array
from monitor.screen.listing import TABLE_LIMIT
from monitor.screen.table import KEPT_WHOLE, Row, show_table
from monitor.setting_types import write_duration
from monitor.storage.counts import count_due
from monitor.storage.database import Database
from monitor.storage.sources import all_sources

_CUT: Final = ("Source", "Name", "State")
_KINDS_SHOWN: Final = 3
_FORGOTTEN: Final = Sentence(NOT_POLLED[Polling.FORGOTTEN], Tone.ASIDE)


async def list_batches(
    config: Config, texts: Sequence[str], *, trouble: bool, limit: int | None, output: str
) -> None:
    """List the watched batches that match, on a screen those in trouble first."""
    matchers = parse_matchers(texts)
    async with reading(config) as database:
        no_daemon = await missing_daemon(database)
        matching = _matching(database, config, matchers, trouble=trouble)
        if output == Output.JSON:
            await write_array(matching, lambda one: json.dumps(one.document(no_daemon)), limit)
            return
        wanted, chosen = limit or TABLE_LIMIT, bool(matchers) or trouble
        if chosen:
            found, counts = await _take(matching, wanted)
        else:
            found, counts = await take_watched(database, config, wanted)
        now, accounts = await database.now(), await all_sources(database)
        due = {} if no_daemon else await count_due(database, now=now)
        shown = await _shown_ids(database, found)
    looks = {} if chosen else _looks(config)
    named = accounts.keys() & ({batch.watch.batch.source for batch in found} | looks.keys())
    standings = [one for name in sorted(named) for one in describe_account(accounts[name], now=now)]
    if found:
        if output == Output.WIDE:
            show_table([_wide_row(one, no_daemon, now=now) for one in found], wide=True)
        else:
            rows = [_row(*one, no_daemon, now=now) for one in zip(found, shown, strict=True)]
            without = () if has_room() else ("Name",)
            broken = ("Batch",) if any(len(id_) > KEPT_WHOLE for id_ in shown) else ()
            show_table(rows, cut=_CUT, fold=broken, without=without)
        forgotten = any(batch.polling is Polling.FORGOTTEN for batch in found)
        late = [] if chosen else describe_lateness(config, due, accounts, now=now)
        put(*([_FORGOTTEN] if forgotten else []), *_remedies(found), *standings, *late)
        put(_sum_up(len(found), counts))
    else:
        put(_nothing(config, matchers, trouble=trouble), *looks.values(), *standings)
    if no_daemon and (found or looks):
        typer.echo(no_daemon, err=True)


async def _matching(
    database: Database, config: Config, matchers: Sequence[Matcher], *, trouble: bool
) -> AsyncIterator[BatchFacts]:
    async for batch in all_batches(database, config, suspect=trouble):
        if trouble and not troubles_of(batch):
            continue
        if not matchers or all(matcher.matches(batch.facts) for matcher in matchers):
            yield batch


async def _take(
    matching: AsyncIterator[BatchFacts], limit: int
) -> tuple[list[BatchFacts], BatchCounts]:
    """Return as many as are shown, those in trouble first, and a count of all."""
    counts = BatchCounts()
    troubled, well = list[BatchFacts](), list[BatchFacts]()
    async for batch in matching:
        kind = troubled if counts.count(batch) else well
        if len(kind) < limit:
            kind.append(batch)
    return [*troubled, *well][:limit], counts


def _remedies(batches: Sequence[BatchFacts]) -> list[Sentence]:
    """Write once what each kind of failure asks to do, the most frequent first."""
    errors = Counter(one.last_error for one in batches if one.last_error != one.last_error_in_short)
    return [
        Sentence(error if number == 1 else f"{number} x {error}", Tone.BAD)
        for error, number in errors.most_common(_KINDS_SHOWN)
    ]


def _sum_up(shown: int, counts: BatchCounts) -> Sentence:
    """Write how many are shown of how many, and how those fare."""
    if shown == counts.number:
        return Sentence(f"{shown:,} in all: {counts.write()}")
    return Sentence(f"{shown:,} of {counts.number:,}: {counts.write()}; --limit N shows more")


async def _shown_ids(database: Database, batches: Sequence[BatchFacts]) -> list[str]:
    """Return how the ids are shown: in short where somebody says how wide the screen is."""
    ids: dict[str, dict[str, str]] = {}
    for one in batches:
        ids.setdefault(one.watch.batch.source, {})[one.watch.batch.id] = one.watch.batch.id
    if not is_piped():
        ids = {source: await short_ids(database, source, its) for source, its in ids.items()}
    return [ids[one.watch.batch.source][one.watch.batch.id] for one in batches]


def _row(batch: BatchFacts, shown_id: str, no_daemon: str, *, now: datetime) -> Row:
    known = batch.watch.known
    return {
        "Source": batch.watch.batch.source,
        "Batch": shown_id,
        "Name": safe(batch.name, "dim"),
        "Phase": _phase(known),
        "Calls": write_share(progress(known)),
        f"Polled {now.astimezone():%Z}": write_clock(batch.watch.last_poll_at, now=now),
        "State": _state(batch, no_daemon, now=now),
    }


def _wide_row(batch: BatchFacts, no_daemon: str, *, now: datetime) -> Row:
    known = batch.watch.known
    measured, found = progress(known), batch.forecast(no_daemon)
    return {
        "Source": batch.watch.batch.source,
        "Batch": batch.watch.batch.id,
        "Name": safe(batch.name, "dim"),
        "Phase": word(known.phase) if known else safe("not read", "dim"),
        "Outcome": word(known.outcome if known else None),
        "Calls": write_calls(measured),
        "Percent": write_percent(measured),
        "Pace": write_forecast(found, now=now, short=True),
        "Origin": safe(batch.watch.batch.origin.value, "dim"),
        "Last poll": write_short_time(batch.watch.last_poll_at),
        "Next poll": safe(write_short_time(batch.next_poll_at), "dim"),
        "State": _state(batch, "", now=now),
    }


def _phase(known: Knowledge | None) -> Text:
    """Write the phase, or how a batch ended once that is settled."""
    if known is None:
        return safe("not read", "dim")
    return word(known.outcome if known.settled_at and known.outcome else known.phase)


def _state(batch: BatchFacts, no_daemon: str, *, now: datetime) -> Text:
    """Write what is the matter with a batch, else what is to come or was left open."""
    if troubles := write_troubles(batch, now=now):
        return safe(troubles, "red")
    known = batch.watch.known
    if known and (left_open := write_left_open(known)):
        return safe(left_open, "yellow")
    if batch.polling is not Polling.POLLED:
        return safe(batch.polling, "dim")
    return safe((known and write_course(known, batch.forecast(no_daemon), now=now)) or "")


def _nothing(config: Config, matchers: Sequence[Matcher], *, trouble: bool) -> Sentence:
    if matchers or trouble:
        parts = [*(["matches"] if matchers else []), *(["is in trouble"] if trouble else [])]
        which = " and ".join(parts)
        wrong = "".join(_unknown_sources(config, matchers))
        wrong += "".join(f"{line}; " for line in write_unmatched(matchers))
        return Sentence(f"no watched batch {which}; {wrong}`monitor list` shows all")
    source = next(iter(config.sources), None)
    if source is None:
        return Sentence("no batches yet: give the config a source (see `monitor init`), then `add`")
    lists = command(f"batches {source}", config)
    return Sentence(f"no batches yet: {lists} shows what there is, and how to watch it")


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
