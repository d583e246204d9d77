"""The event log as it grows."""

import asyncio
import select
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

import typer

from monitor.cli.options import Output
from monitor.cli.session import parse_matchers, reading, time_ago
from monitor.config.schema import Config
from monitor.core.errors import StorageError
from monitor.core.matching import Matcher
from monitor.facts.daemon_seen import missing_daemon
from monitor.facts.event_log import LoggedEvent, match, matching
from monitor.net.redact import printable
from monitor.screen.console import make_console
from monitor.screen.documents import write_document
from monitor.screen.event_line import write_event
from monitor.screen.listing import take
from monitor.storage.database import Database
from monitor.storage.events.follow import Follower, follow_from_now
from monitor.storage.events.read import newest_event_at

SHOWN: Final = 10
"""Old ones that come first, as with `tail`."""
LOOK: Final = 0.5
"""Seconds between two looks."""
CHECK_EVERY: Final = 20
"""Looks between two for the daemon, which says once a minute that it is alive."""

Write = Callable[[LoggedEvent], None]


async def follow_events(
    config: Config, texts: Sequence[str], *, since: timedelta | None, limit: int | None, output: str
) -> None:
    """Print the newest events that match, then each as it is committed, until interrupted."""
    matchers = parse_matchers(texts)
    write = _write_json if output == Output.JSON else _line_writer()
    async with reading(config) as database:
        start = await time_ago(database, since)
        if start is not None and limit is None:
            follower = Follower(database, since=start)
        else:
            follower = await follow_from_now(database)
            old, _ = await take(matching(database, matchers, since=start), limit, usual=SHOWN)
            follower.pass_over(event for event, _ in old)
            for found in reversed(old):
                write(found)
        if await newest_event_at(database) is None:
            typer.echo("no events yet, waiting", err=True)
        await _follow_on(database, follower, matchers, write)


async def _follow_on(
    database: Database, follower: Follower, matchers: Sequence[Matcher], write: Write
) -> None:
    """Go on until nobody reads any more; a database that is away comes back."""
    away, daemon = False, DaemonWatch(database)
    while not _is_deserted():
        try:
            await daemon.look()
            async for event in follower.look():
                if found := match(event, matchers):
                    write(found)
        except StorageError as error:
            if not away:
                typer.echo(f"{printable(str(error))}; trying on", err=True)
            away = True
        else:
            if away:
                typer.echo("the database answers again", err=True)
            away = False
        await asyncio.sleep(LOOK)


class DaemonWatch:
    """A look-out for the daemon: that none is alive is printed once, until one is again."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._looks = 0
        self._printed = ""

    async def look(self) -> None:
        """Look, now and then; raise StorageError."""
        if self._looks % CHECK_EVERY == 0:
            trouble = await missing_daemon(self._database)
            if trouble and trouble != self._printed:
                typer.echo(trouble, err=True)
            self._printed = trouble
        self._looks += 1


def _write_json(found: LoggedEvent) -> None:
    write_document(found[0].body)


def _line_writer() -> Write:
    console = make_console()

    def write(found: LoggedEvent) -> None:
        width = console.width if console.is_terminal else None
        console.print(write_event(*found, width=width), soft_wrap=True)

    return write


def _is_deserted() -> bool:
    """Return whether standard output is a pipe that its reader has closed."""
    try:
        output = sys.stdout.fileno()
    except (OSError, ValueError):  # it is no file
        return False
    watch = select.poll()
    watch.register(output, 0)
    return any(happened & select.POLLERR for _, happened in watch.poll(0))
