"""The event log: `monitor events`."""

import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Final

from rich.text import Text

from monitor.cli.commands.list_batches import TABLE_LIMIT
from monitor.cli.event_summary import summarise
from monitor.cli.options import Output
from monitor.cli.screen import json_array, safe, write_short_time
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
        run(_write_json(config, parsed, since=since, limit=None if limit is None else int(limit)))
    else:
        run(_show_table(config, parsed, since=since, limit=int(limit or TABLE_LIMIT)))


async def _write_json(
    config: Config, matchers: Sequence[Matcher], *, since: str | None, limit: int | None
) -> None:
    async with reading(config) as database:
        with json_array() as write:
            number = 0
            async for event, _ in _matching(database, matchers, since=since):
                write(event.body)
                number += 1
                if number == limit:
                    break


async def _show_table(
    config: Config, matchers: Sequence[Matcher], *, since: str | None, limit: int
) -> None:
    found: list[Found] = []
    async with reading(config) as database:
        async for item in _matching(database, matchers, since=since):
            found.append(item)
            if len(found) > limit:
                break
    if not found:
        filtered = bool(matchers) or since is not None
        show_text(safe(_NO_MATCH if filtered else _NOTHING))
        return
    show_table(_COLUMNS, [_row(*item) for item in found[:limit]], stacks=_STACKS)
    if len(found) > limit:
        show_text(safe(f"the newest {limit}; --limit N shows more, -o json all", "dim"))


async def _matching(
    database: Database, matchers: Sequence[Matcher], *, since: str | None
) -> AsyncIterator[Found]:
    start = parse_since(since, now=await database.now())
    async for event in events_since(database, start):
        document = json.loads(event.body)
        seen = facts(document) if matchers else {}
        if all(matcher.matches(seen) for matcher in matchers):
            yield event, document


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
