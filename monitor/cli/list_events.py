"""The event log as a table."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from monitor.cli.options import Output
from monitor.cli.session import parse_matchers, reading, time_ago
from monitor.config.schema import Config
from monitor.facts.event_id import short_id
from monitor.facts.event_log import LoggedEvent, matching
from monitor.facts.event_summary import name_in, source_in, summarise
from monitor.facts.sentence import Sentence
from monitor.facts.times import write_clock, write_short_time
from monitor.screen.console import has_room, is_piped, put, safe
from monitor.screen.documents import write_array
from monitor.screen.listing import take
from monitor.screen.table import Row, show_table

_CUT: Final = ("Source", "Subject", "What")
_NOTHING: Final = (
    "no events yet: `monitor add SOURCE ID` watches a batch, a running `monitor run` reads it"
)
_NO_MATCH: Final = (
    "no event matches; `monitor events` shows all that are kept ([monitor] retention)"
)


async def list_events(
    config: Config, texts: Sequence[str], *, since: timedelta | None, limit: int | None, output: str
) -> None:
    """List the events that match."""
    matchers = parse_matchers(texts)
    async with reading(config) as database:
        found = matching(database, matchers, since=await time_ago(database, since))
        if output == Output.JSON:
            await write_array(found, lambda logged: logged[0].body, limit)
            return
        listed, more = await take(found, limit)
    if listed:
        if output == Output.WIDE:
            show_table([_wide_row(logged) for logged in listed], wide=True)
        else:
            now = datetime.now(UTC)
            rows = [_row(logged, now=now) for logged in listed]
            show_table(rows, cut=_CUT, without=() if has_room() else ("Source",))
        put(*more)
    else:
        put(Sentence(_NO_MATCH if matchers or since is not None else _NOTHING))


def _row(logged: LoggedEvent, *, now: datetime) -> Row:
    event, document = logged
    return {
        f"Time {now.astimezone():%Z}": write_clock(event.at, now=now),
        "Type": document["type"],
        "Source": safe(source_in(document), "dim"),
        "Subject": name_in(document) or document["subject"],
        "What": summarise(document),
        "Event": safe(event.id if is_piped() else short_id(event.id), "dim"),
    }


def _wide_row(logged: LoggedEvent) -> Row:
    event, document = logged
    return {
        "Time": write_short_time(event.at),
        "Type": document["type"],
        "Source": safe(source_in(document), "dim"),
        "Subject": document["subject"],
        "Name": safe(name_in(document), "dim"),
        "What": summarise(document),
        "Event": safe(event.id, "dim"),
    }
