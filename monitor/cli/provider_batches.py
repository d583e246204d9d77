"""The batches that a provider has, as its lists show them; nothing is stored."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import typer

from monitor.cli.next_step import command, show_next, ways_to_watch
from monitor.cli.options import Output
from monitor.cli.provider_lists import Draw, Lists, Purse, look
from monitor.cli.session import reading
from monitor.config.schema import Config
from monitor.config.secrets import require_secrets
from monitor.core.batch_id import identity_of
from monitor.core.discovery import Entries, ListEntry
from monitor.core.errors import MonitorError, NoDatabaseError, UnknownNameError
from monitor.core.failure import FailureKind
from monitor.facts.names import check_known
from monitor.facts.remedy import remedy
from monitor.facts.sentence import Sentence, Tone
from monitor.facts.times import stamp_if, write_short_time
from monitor.net.redact import printable
from monitor.providers import GenericSettings, SourceSettings, build
from monitor.providers.discovery import DiscoverySettings
from monitor.screen.console import put, safe
from monitor.screen.documents import write_json
from monitor.screen.listing import TABLE_LIMIT
from monitor.screen.table import KEPT_WHOLE, Row, show_table
from monitor.setting_types import write_duration
from monitor.storage.batches.claim import draw_extra
from monitor.storage.batches.read import registered_among
from monitor.storage.database import Database
from monitor.storage.sources import all_sources
from monitor.storage.sql import PAGE, chunks

_REMEDIES: Final[Mapping[FailureKind, str]] = {
    FailureKind.NOT_FOUND: "there is no such list: check the key's account and where it is asked",
    FailureKind.FORBIDDEN: "the key is refused, or may not read lists",
    FailureKind.EXPRESSION: "the list is not as [sources.NAME.discover] says: check that key of it",
    FailureKind.TOO_LARGE: (
        "what is beyond is not read: shorten discover.max_age, or raise answer_limit where there"
        " is one"
    ),
}
"""Where a list fails otherwise than a batch."""

Watched = Mapping[str, bool] | None
"""By identity: whether a batch that was ever registered is watched; None: nobody can say."""


async def list_batches(config: Config, source: str, *, limit: int | None, output: str) -> None:
    """List what the provider has; raise Exit(1) if a list could not be read."""
    check_known("source", source, config.sources)
    settings = config.sources[source].listing()
    if settings.discover is None:
        raise UnknownNameError("\n".join(_without_list(config, source)))
    require_secrets(config, source=source)
    async with AsyncExitStack() as stack:
        database, watched = await _open(config, stack)
        lists = await _look(config, settings, await _budget(database, source, settings))
        batches = lists.newest_first
        if database is not None:
            watched = await _watched(database, source, batches)
    if output == Output.JSON:
        write_json([_document(source, batch, watched) for batch in batches[:limit]])
    else:
        _show(batches, watched, limit or TABLE_LIMIT, wide=output == Output.WIDE)
        if not batches and not lists.failures:
            put(Sentence("no batches found"))
        put(*_left_out(lists.entries, settings.discover))
    for line in _complaints(source, lists, settings):
        typer.echo(printable(line), err=True)
    if output != Output.JSON and batches:
        show_next(*ways_to_watch(config, source))
    if lists.failures:
        raise typer.Exit(1)


def _without_list(config: Config, source: str) -> Iterator[str]:
    """Say what to add to a table that does not say where its batches are listed."""
    settings = config.sources[source]
    parts = urlsplit(settings.url if isinstance(settings, GenericSettings) else settings.base_url)
    yield f"sources.{source}: nothing says where its batches are listed: add, as its API has it,"
    yield f"  [sources.{source}.discover]"
    yield f'  url = "{parts.scheme}://{parts.netloc}/..."  # the list'
    yield '  items = "data"  # where in it the array of batches is'
    yield '  id = "id"       # where in each of them its id is'
    yield f"or name a batch yourself: {command(f'add {source} ID', config)}"


async def _open(config: Config, stack: AsyncExitStack) -> tuple[Database | None, Watched]:
    """Open the database, if there is one; one that cannot be read now is no reason to fail."""
    try:
        return await stack.enter_async_context(reading(config)), None
    except NoDatabaseError:
        return None, {}
    except MonitorError as error:
        typer.echo(f"which are watched is not known: {printable(str(error))}", err=True)
        return None, None


async def _budget(database: Database | None, source: str, settings: SourceSettings) -> Draw:
    """Return what to draw from: the budget that daemons share, once they know the source."""
    rate = settings.rate_limit
    row = (await all_sources(database)).get(source) if database else None
    if database is None or row is None:
        return Purse(rate=rate).draw
    shared, number = database, row.row

    async def draw() -> timedelta:
        return await draw_extra(shared, number, 1, rate=rate, now=await shared.now())

    return draw


async def _look(config: Config, settings: SourceSettings, draw: Draw) -> Lists:
    provider = build(settings, deadline=config.polling.deadline)
    try:
        return Lists() if provider.finder is None else await look(provider.finder, draw)
    finally:
        await provider.close()


async def _watched(
    database: Database, source: str, batches: Sequence[ListEntry]
) -> dict[str, bool]:
    known: dict[str, bool] = {}
    for chunk in chunks([batch.id for batch in batches], PAGE):
        known |= await registered_among(database, source, chunk)
    return known


def _document(source: str, batch: ListEntry, watched: Watched) -> dict[str, Any]:
    return {
        "source": source,
        "id": batch.id,
        "name": batch.name,
        "status": batch.status,
        "created_at": stamp_if(batch.created_at),
        "watched": None if watched is None else watched.get(identity_of(batch.id), False),
    }


def _show(batches: Sequence[ListEntry], watched: Watched, limit: int, *, wide: bool) -> None:
    rows = [_row(batch, watched) for batch in batches[:limit]]
    long = any(len(batch.id) > KEPT_WHOLE for batch in batches[:limit])
    show_table(rows, cut=("Name", "Status"), fold=("Batch",) if long else (), wide=wide)
    if len(batches) > limit:
        more = f"the newest {limit} of {len(batches):,}; --limit N shows more, -o json all"
        put(Sentence(more, Tone.ASIDE))


def _row(batch: ListEntry, watched: Watched) -> Row:
    said = {True: safe("yes", "green"), False: safe("removed", "yellow"), None: safe("no", "dim")}
    return {
        "Batch": batch.id,
        "Name": safe(batch.name or "", "dim"),
        "Status": batch.status or "",
        "Created": write_short_time(batch.created_at),
        "Watched": "" if watched is None else said[watched.get(identity_of(batch.id))],
    }


def _left_out(entries: Entries, discover: DiscoverySettings) -> Iterator[Sentence]:
    """Say how many entries of the lists are not shown, and why."""
    reasons = {
        f"created more than {write_duration(discover.max_age)} ago (max_age)": entries.too_old,
        "of another status (statuses)": entries.other_status,
        "without a usable id": entries.no_id,
    }
    told = [f"{number:,} {reason}" for reason, number in reasons.items() if number]
    if told:
        yield Sentence(f"left out: {', '.join(told)}", Tone.ASIDE)


def _complaints(source: str, lists: Lists, settings: SourceSettings) -> Iterator[str]:
    """Say which lists could not be read, and which keys of `discover` found nothing at all."""
    for agent, error in lists.failures:
        whose = source if agent is None else f"{source}, agent {agent}"
        yield f"{whose}: the list could not be read: {error}"
        yield _REMEDIES.get(error.kind) or remedy(error.kind, provider=settings.provider)
    for key in sorted(lists.entries.unread) if isinstance(settings, GenericSettings) else ():
        yield f"sources.{source}.discover.{key} finds nothing in all that the list holds"
