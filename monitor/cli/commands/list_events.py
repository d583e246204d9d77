"""The event log: `monitor events`."""

import json
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from rich.text import Text

from monitor.cli.event_summary import summarise
from monitor.cli.listing import take, write_array
from monitor.cli.options import Output
from monitor.cli.screen import safe, write_short_time
from monitor.cli.screen import show as show_text
from monitor.cli.session import parse_matchers, parse_since, reading, run
from monitor.cli.table import show_table
from monitor.config.load import load
from monitor.config.schema import Config
from monitor.core.event import facts
from monitor.core.matching import Matcher
from monitor.storage.database import Database
from monitor.storage.queries import EventView, events_since

_COLUMNS: Final = ("Time", "Type", "Source", "Subject", "Name", "What", "Event")
_STACKS: Final = (("Time", "Source"), ("Type", "What", "Event"), ("Subject", "Name"))

Found = tuple[EventView, Any]
"""An event, and its body decoded."""


def show(
    path: Path | None,
    matchers: Sequence[str],
    *,
    since: str | None,
    limit: str | None,
    output: str,
) -> None:
    """List the events that match."""
    config, parsed = load(path), parse_matchers(matchers)
    if output == Output.JSON:
        run(_write_json(config, parsed, since=since, limit=limit))
    else:
        run(_show_table(config, parsed, since=since, limit=limit))


async def _write_json(
    config: Config, matchers: Sequence[Matcher], *, since: str | None, limit: str | None
) -> None:
    async with reading(config) as database:
        start = parse_since(since, now=await database.now())
        await write_array(
            matching(database, matchers, since=start), lambda found: found[0].body, limit
        )


async def _show_table(
    config: Config, matchers: Sequence[Matcher], *, since: str | None, limit: str | None
) -> None:
    async with reading(config) as database:
        start = parse_since(since, now=await database.now())
        found, more = await take(matching(database, matchers, since=start), limit)
    if not found:
        filtered = bool(matchers) or since is not None
        show_text(safe(_NO_MATCH if filtered else _NOTHING))
        return
    show_table(_COLUMNS, [_row(*item) for item in found], stacks=_STACKS)
    if more:
        show_text(more)


async def matching(
    database: Database, matchers: Sequence[Matcher], *, since: datetime | None
) -> AsyncIterator[Found]:
    """Yield the events of a time on that match, the newest first."""
    async for event in events_since(database, since):
        if found := match(event, matchers):
            yield found


def match(event: EventView, matchers: Sequence[Matcher]) -> Found | None:
    """Decode an event; none when it does not match."""
    document = json.loads(event.body)
    seen = facts(document) if matchers else {}
    return (event, document) if all(matcher.matches(seen) for matcher in matchers) else None


def _row(event: EventView, document: Any) -> list[Text]:
    batch = document["data"].get("batch") or {}
    return [
        safe(write_short_time(event.at)),
        safe(document["type"]),
        safe(document["source"].rpartition("/")[2], "dim"),
        safe(document["subject"]),
        safe(batch.get("name") or "", "dim"),
        safe(summarise(document)),
        safe(event.id, "dim"),
    ]


_NOTHING: Final = (
    "no events yet: `monitor add SOURCE ID` watches a batch, a running `monitor run` reads it"
)
_NO_MATCH: Final = (
    "no event matches; `monitor events` shows all that are kept ([monitor] retention)"
)
