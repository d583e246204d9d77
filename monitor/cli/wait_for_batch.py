"""The wait for a batch's end."""

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import typer
from rich.live import Live

from monitor.cli.options import ANY_END
from monitor.cli.session import reading
from monitor.cli.waiting import End, Sight
from monitor.config.schema import Config
from monitor.core.errors import StorageError
from monitor.facts.batch import FORGOTTEN, BatchFacts, Polling, find_batch
from monitor.facts.batch_id import whole_id
from monitor.facts.daemon_seen import missing_daemon
from monitor.facts.remedy import describe_account
from monitor.facts.sentence import Sentence, Tone
from monitor.facts.times import write_short_time
from monitor.net.redact import printable
from monitor.screen.console import make_console
from monitor.setting_types import write_duration
from monitor.storage.database import Database

LOOK: Final = 1.0
"""Seconds between two looks at the database."""
CHECK_EVERY: Final = 10
"""Looks between two for the daemon, which says once a minute that it is alive."""
TIMED_OUT: Final = 3

Show = Callable[[Sight], None]


async def wait(
    config: Config, source: str, batch_id: str, *, wanted: str, patience: timedelta | None
) -> None:
    """Wait until a batch settled; raise Exit(1) on another end, Exit(3) on time-out."""
    end = await wait_for_end(config, source, batch_id, wanted=wanted, patience=patience)
    typer.echo(printable(f"{source} {batch_id}: {end.reason}"), err=end.code != 0)
    if end.code:
        raise typer.Exit(end.code)


async def wait_for_end(
    config: Config, source: str, batch_id: str, *, wanted: str, patience: timedelta | None
) -> End:
    """Return how the wait for a batch's end is over, showing each look meanwhile."""
    began = time.monotonic()
    last = math.inf if patience is None else began + patience.total_seconds()
    async with reading(config) as database:
        whole = await whole_id(database, source, batch_id)
        lookout = Lookout(database, config, source, whole)
        sight = await lookout.look()
        with _screen(_hope(wanted, patience)) as show:
            while True:
                show(sight)
                if end := sight.end(wanted):
                    return end
                left = last - time.monotonic()
                if patience is not None and left <= 0:
                    return _timed_out(sight, patience)
                await asyncio.sleep(min(LOOK, left))
                sight = await lookout.look_again(sight)


def _hope(wanted: str, timeout: timedelta | None) -> str:
    end = "any end" if wanted == ANY_END else wanted
    now = datetime.now(UTC)
    until = "" if timeout is None else f", until {write_short_time(now + timeout)}"
    return f"waiting for {end} since {write_short_time(now)}{until}"


def _timed_out(sight: Sight, timeout: timedelta) -> End:
    known = sight.batch.watch.known
    state = "it was not read yet" if known is None else f"it is {known.phase} ({known.status})"
    return End(code=TIMED_OUT, reason=f"not settled within {write_duration(timeout)}: {state}")


class Lookout:
    """A look at one batch again and again: at the database alone, never at the provider."""

    def __init__(self, database: Database, config: Config, source: str, batch_id: str) -> None:
        self._database = database
        self._config = config
        self._source = source
        self._id = batch_id
        self._looks = 0
        self._missing_daemon = ""

    async def look(self) -> Sight:
        """Return what there is to see; raise UnknownNameError, and StorageError."""
        if self._looks % CHECK_EVERY == 0:
            self._missing_daemon = await missing_daemon(self._database)
        self._looks += 1
        batch = await find_batch(self._database, self._config, self._source, self._id)
        return Sight(
            batch=batch,
            forecast=batch.forecast(self._missing_daemon),
            troubles=tuple(_troubles(batch, self._missing_daemon)),
            at=datetime.now(UTC),
        )

    async def look_again(self, before: Sight) -> Sight:
        """Look once more; while the database is away, nothing is new but that."""
        try:
            return await self.look()
        except StorageError as error:
            trouble = Sentence(f"{error}; trying on", Tone.DOUBTFUL)
            return replace(before, forecast=None, troubles=(trouble,), at=datetime.now(UTC))


def _troubles(batch: BatchFacts, no_daemon: str) -> Iterator[Sentence]:
    """Yield what keeps this batch from being read: itself, the daemon, the account."""
    failures = batch.watch.failures
    if batch.polling is Polling.FORGOTTEN:
        yield Sentence(FORGOTTEN, Tone.DOUBTFUL)
    if batch.polling is Polling.NO_SOURCE:
        gone = "the config has no source of this name: it is not polled"
        yield Sentence(gone, Tone.DOUBTFUL)
    error = batch.last_error
    if failures.unreachable_since is not None:
        since = write_short_time(failures.unreachable_since)
        yield Sentence(f"unreachable since {since}: {error}", Tone.BAD)
    elif error:
        yield Sentence(f"the last poll failed: {error}", Tone.DOUBTFUL)
    if no_daemon:
        yield Sentence(no_daemon, Tone.DOUBTFUL)
    if batch.account:
        yield from describe_account(batch.account, now=datetime.now(UTC))


@contextmanager
def _screen(hope: str) -> Iterator[Show]:
    """Yield what shows a sight: a live picture on a terminal, a line a change elsewhere."""
    console = make_console()
    if not console.is_terminal:
        yield Lines()
        return
    with Live(console=console, auto_refresh=False) as live:
        yield lambda sight: live.update(sight.draw(hope, width=console.width), refresh=True)


class Lines:
    """Print a line whenever something moved; troubles go to standard error, each once."""

    def __init__(self) -> None:
        self._moved: object = None
        self._troubles: set[Sentence] = set()

    def __call__(self, sight: Sight) -> None:
        """Print what is new."""
        if sight.moved != self._moved:
            typer.echo(sight.write().plain)
        for trouble in sight.troubles:
            if trouble not in self._troubles:
                typer.echo(printable(trouble.text), err=True)
        self._moved = sight.moved
        self._troubles = set(sight.troubles)
