"""The engine: the loops of a running daemon, started, changed and stopped as one."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final, Protocol, TypeVar

from monitor.engine.clock import Clock
from monitor.engine.delivering.relay import Relay
from monitor.engine.housekeeping import Housekeeping
from monitor.engine.loop import Loop, end, keep_running
from monitor.engine.metrics import Metrics
from monitor.engine.parts import Parts, Resources
from monitor.engine.polling.discovery import Discovery
from monitor.engine.polling.poller import Poller
from monitor.engine.receiver import ReceiverAtWork
from monitor.engine.source import SourceAtWork
from monitor.engine.writing.writer import Writer
from monitor.storage.batches.claim import hasten_batches
from monitor.storage.database import Database

DELIVERIES_TIMEOUT: Final = 2.5
"""Seconds that deliveries under way get at the end."""
FLUSH: Final = 0.5
"""Seconds that the last results get to be committed."""


class Part(Protocol):
    """One step on the data's way, in a loop of its own."""

    @property
    def loop(self) -> Loop:
        """Return its loop."""
        ...

    async def run(self) -> None:
        """Run until the loop is closed."""
        ...


class Closable(Protocol):
    """Connections: a provider or a sink."""

    async def close(self) -> None:
        """Close all connections."""
        ...


AtWork = TypeVar("AtWork", SourceAtWork, ReceiverAtWork)


class Engine:
    """Own the parts at work; `loops` names them in the order of the data's way."""

    def __init__(self, database: Database, parts: Parts, *, clock: Clock, owner: str) -> None:
        self.clock, self.metrics = clock, Metrics(owner)
        self._database = database
        resources = Resources(database=database, clock=clock, metrics=self.metrics, owner=owner)
        polls = Loop("poller", clock=clock)
        self.relay = Relay(resources, parts)
        self.writer = Writer(resources, parts, relay=self.relay, polls=polls)
        self.poller = Poller(resources, parts, loop=polls, writer=self.writer)
        self.discovery = Discovery(resources, parts, writer=self.writer, polls=polls)
        self.housekeeping = Housekeeping(resources, parts)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    @property
    def sources(self) -> list[SourceAtWork]:
        """Return the sources at work, those that the config has now."""
        return sorted(self.poller.sources, key=lambda source: source.row)

    @property
    def receivers(self) -> list[ReceiverAtWork]:
        """Return the receivers at work, those that the config has now."""
        return self.relay.receivers

    @property
    def loops(self) -> dict[str, Loop]:
        """Return the loops by name."""
        return {name: part.loop for name, part in self._parts.items()}

    @property
    def _parts(self) -> dict[str, Part]:
        return {
            "poller": self.poller,
            "discovery": self.discovery,
            "writer": self.writer,
            "relay": self.relay,
            "settler": self.relay.settler,
            "housekeeping": self.housekeeping,
        }

    def start(self) -> None:
        """Let all loops run; one that crashes begins again."""
        for name, part in self._parts.items():
            self._tasks[name] = asyncio.create_task(keep_running(name, part.run))

    async def change(self, parts: Parts) -> None:
        """Take over what another config asks for, without a pause.

        Whatever stays is kept: its health, its pauses, what is under way, and its warm connections
        if it is asked as before. Raises StorageError before anything is changed.
        """
        await self._hasten(parts.sources)
        gone: list[Closable] = []
        parts = replace(
            parts,
            sources=_move(self.sources, parts.sources, gone, now=self.clock.now()),
            receivers=_move(self.receivers, parts.receivers, gone, now=self.clock.now()),
        )
        under_way = self.poller.change(parts) | self.discovery.change(parts)
        under_way |= self.relay.change(parts)
        self.writer.routes = parts.routes
        self.housekeeping.change(parts)
        if gone:
            leaving = asyncio.create_task(_close_after(under_way, gone))
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)

    async def stop(self) -> None:
        """End each loop once those before it on the data's way have ended."""
        self.housekeeping.loop.close()
        self.discovery.close()
        await self.poller.close()
        self.writer.loop.close()
        await asyncio.wait({self._tasks["writer"]}, timeout=FLUSH)
        await self.relay.close(patience=DELIVERIES_TIMEOUT)
        self.relay.settler.loop.close()
        # all of them: SQLite's lock may outlive a unit of work that is cancelled
        await asyncio.wait(self._tasks.values(), timeout=FLUSH)
        await end(self._tasks.values())

    async def close(self) -> None:
        """Close all connections to providers and receivers."""
        for leaving in self._leaving:
            leaving.cancel()
        await asyncio.gather(*self._leaving, return_exceptions=True)
        for source in self.sources:
            await source.provider.close()
        for receiver in self.receivers:
            await receiver.sink.close()

    async def _hasten(self, sources: Iterable[SourceAtWork]) -> None:
        """Bring polls forward that were planned by longer intervals than the new ones."""
        now = self.clock.now()
        before = {source.name: source.pace for source in self.sources}
        for built in sources:
            if built.name in before and built.pace.is_shorter_than(before[built.name]):
                by = now + built.pace.interval
                await hasten_batches(self._database, built.name, by=by)


def _move(
    at_work: Iterable[AtWork], built: Iterable[AtWork], gone: list[Closable], *, now: datetime
) -> list[AtWork]:
    """Return what is at work from now on: what was, with its new settings, and what is new.

    The connections that go are added to `gone`.
    """
    before = {one.name: one for one in at_work}
    moved = []
    for new in built:
        old = before.pop(new.name, None)
        moved.append(old or new)
        if old is not None and (replaced := old.reconfigure(new, now=now)) is not None:
            gone.append(replaced)
    gone += [one.connections for one in before.values()]
    return moved


async def _close_after(under_way: set[asyncio.Task[None]], gone: Iterable[Closable]) -> None:
    """Close what nobody uses once the requests under way are over: each has a deadline."""
    try:
        if under_way:
            await asyncio.wait(under_way)
    finally:
        for one in gone:
            await one.close()
