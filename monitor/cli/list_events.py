"""The event log as a table."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from monitor.cli.options import Output
from monitor.cli.session import parse_matchers, reading, time_ago
from monitor.config.schema import Config
from monitor.facts.event_log import LoggedEvent, matching
from monitor.facts.event_summary import name_in, source_in, summarise
from monitor.facts.sentence import Sentence
from monitor.facts.times import write_short_time
from monitor.screen.console import put, safe, whole
from monitor.screen.documents import write_array
from monitor.screen.listing import take
from monitor.screen.table import Row, show_table

_STACKS: Final = (("Time", "Source"), ("Type", "What", "Event"), ("Subject", "Name"))
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
        show_table([_row(logged) for logged in listed], stacks=_STACKS, cut="What")
        put(*more)
    else:
        put(Sentence(_NO_MATCH if matchers or since is not None else _NOTHING))


def _row(logged: LoggedEvent) -> Row:
    event, document = logged
    return {
        "Time": whole(write_short_time(event.at)),
        "Type": document["type"],
        "Source": safe(source_in(document), "dim"),
        "Subject": document["subject"],
        "Name": safe(name_in(document), "dim"),
        "What": summarise(document),
        "Event": safe(event.id, "dim"),
    }
