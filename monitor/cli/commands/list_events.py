"""The event log: `monitor events`."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from rich.text import Text

from monitor.cli.event_log import matching
from monitor.cli.event_summary import summarise
from monitor.cli.listing import take, write_array
from monitor.cli.options import Output
from monitor.cli.screen import put, safe, whole, write_short_time
from monitor.cli.session import parse_matchers, reading, run, time_ago
from monitor.cli.table import show_table
from monitor.config.load import load
from monitor.config.schema import Config
from monitor.core.matching import Matcher
from monitor.storage.events.read import EventView

_COLUMNS: Final = ("Time", "Type", "Source", "Subject", "Name", "What", "Event")
_STACKS: Final = (("Time", "Source"), ("Type", "What", "Event"), ("Subject", "Name"))


def show(
    path: Path | None,
    matchers: Sequence[str],
    *,
    since: timedelta | None,
    limit: int | None,
    output: str,
) -> None:
    """List the events that match."""
    config, parsed = load(path), parse_matchers(matchers)
    if output == Output.JSON:
        run(_write_json(config, parsed, since=since, limit=limit))
    else:
        run(_show_table(config, parsed, since=since, limit=limit))


async def _write_json(
    config: Config, matchers: Sequence[Matcher], *, since: timedelta | None, limit: int | None
) -> None:
    async with reading(config) as database:
        start = await time_ago(database, since)
        await write_array(
            matching(database, matchers, since=start), lambda found: found[0].body, limit
        )


async def _show_table(
    config: Config, matchers: Sequence[Matcher], *, since: timedelta | None, limit: int | None
) -> None:
    async with reading(config) as database:
        start = await time_ago(database, since)
        found, more = await take(matching(database, matchers, since=start), limit)
    if not found:
        filtered = bool(matchers) or since is not None
        put(safe(_NO_MATCH if filtered else _NOTHING))
        return
    rows = [_row(*item) for item in found]
    show_table(_COLUMNS, rows, stacks=_STACKS, cut="What")
    if more:
        put(more)


def _row(event: EventView, document: Any) -> list[Text]:
    batch = document["data"].get("batch") or {}
    return [
        whole(write_short_time(event.at)),
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
