"""The engine: the loops of a running daemon, started, changed and stopped as one."""

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final, Protocol, TypeVar

from monitor.engine.clock import Clock
from monitor.engine.delivering.relay import Relay
from monitor.engine.housekeeping import Housekeeping
from monitor.engine.loop import Loop, end, keep_running
from monitor.engine.metrics import Metrics
from monitor.engine.parts import Parts, Resources
from monitor.engine.polling.discovery import Discovery
from monitor.engine.polling.poller import Poller
from monitor.engine.ports import Provider, Sink
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

    async def turn(self) -> float | None:
        """Do what is to be done now; return the seconds until the next turn at the latest."""
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
            turning = keep_running(name, partial(part.loop.run, part.turn))
            self._tasks[name] = asyncio.create_task(turning)

    async def change(self, parts: Parts) -> None:
        """Take over what another config asks for, without a pause.

        Whatever stays is kept: its health, its pauses, what is under way, and its warm connections
        if it is asked as before. Raises StorageError before anything is changed.
        """
        await self._hasten(parts.sources)
        before = self._connections
        parts = replace(
            parts,
            sources=_move(self.sources, parts.sources, now=self.clock.now()),
            receivers=_move(self.receivers, parts.receivers, now=self.clock.now()),
        )
        under_way = self.poller.change(parts) | self.discovery.change(parts)
        under_way |= self.relay.change(parts)
        self.writer.routes = parts.routes
        self.housekeeping.change(parts)
        kept = {*self._connections}
        if gone := [one for one in before if one not in kept]:
            leaving = asyncio.create_task(_close_after(under_way, gone))
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)

    async def stop(self) -> None:
        """End each loop once those before it on the data's way have ended."""
        self.housekeeping.loop.close()
        rounds = self.discovery.close()
        await self.poller.close()
        self.writer.loop.close()
        await asyncio.wait({self._tasks["writer"]}, timeout=FLUSH)
        await self.relay.close(patience=DELIVERIES_TIMEOUT)
        self.relay.settler.loop.close()
        # all of them: SQLite's lock may outlive a unit of work that is cancelled
        left = {*rounds, *self._tasks.values()}
        await asyncio.wait(left, timeout=FLUSH)
        await end(left)

    async def close(self) -> None:
        """Close all connections to providers and receivers."""
        for leaving in self._leaving:
            leaving.cancel()
        await asyncio.gather(*self._leaving, return_exceptions=True)
        for one in self._connections:
            await one.close()

    @property
    def _connections(self) -> list[Provider | Sink]:
        return [
            *(source.provider for source in self.sources),
            *(receiver.sink for receiver in self.receivers),
        ]

    async def _hasten(self, sources: Iterable[SourceAtWork]) -> None:
        """Bring polls forward that were planned by longer intervals than the new ones."""
        now = self.clock.now()
        before = {source.name: source.pace for source in self.sources}
        for built in sources:
            if built.name in before and built.pace.is_shorter_than(before[built.name]):
                by = now + built.pace.interval
                await hasten_batches(self._database, built.name, by=by)


def _move(at_work: Collection[AtWork], built: Collection[AtWork], *, now: datetime) -> list[AtWork]:
    """Return what is at work from now on: what was, with its new settings, and what is new."""
    before = {one.name: one for one in at_work}
    for new in built:
        if new.name in before:
            before[new.name].reconfigure(new, now=now)
    return [before.get(new.name, new) for new in built]


async def _close_after(under_way: set[asyncio.Task[None]], gone: Iterable[Provider | Sink]) -> None:
    """Close what nobody uses once the requests under way are over: each has a deadline."""
    try:
        if under_way:
            await asyncio.wait(under_way)
    finally:
        for one in gone:
            await one.close()
