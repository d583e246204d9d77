"""The daemon: its engine, the endpoints and the watchers, started and ended as one."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog

from monitor import __version__
from monitor.config.schema import Config
from monitor.daemon.bells import Bells
from monitor.daemon.readiness import Readiness
from monitor.daemon.systemd import Systemd
from monitor.endpoints import Endpoints
from monitor.engine.engine import Engine
from monitor.engine.loop import end, keep_running
from monitor.storage.batches.claim import release_batches
from monitor.storage.database import Database
from monitor.storage.deliveries.claim import release_deliveries
from monitor.storage.instances import forget_instance

RELEASE: Final = 0.5
"""Seconds in which what is claimed is to be given back."""

log = structlog.stdlib.get_logger()


class Watcher(Protocol):
    """Look after the daemon for as long as it runs."""

    async def run(self) -> None:
        """Run for ever."""
        ...


@dataclass(kw_only=True, eq=False)
class Daemon:
    """Own the engine of one process, and the watchers beside it."""

    config: Config
    database: Database
    engine: Engine
    bells: Bells
    endpoints: Endpoints
    readiness: Readiness
    systemd: Systemd
    watchers: Mapping[str, Watcher]
    _watching: list[asyncio.Task[None]] = field(default_factory=list, init=False)

    async def start(self) -> None:
        """Listen and start the loops; then say so. Raises ConfigError for a port that is taken."""
        engine, server = self.engine, self.config.server
        instance = self.config.monitor.instance
        port = await self.endpoints.start(*server.address)
        engine.start()
        self.bells.start()
        for name, watcher in self.watchers.items():
            self._watching.append(asyncio.create_task(keep_running(name, watcher.run)))
        log.info(
            "daemon.started",
            version=__version__,
            instance=instance,
            database=self.database.place,
            listen=server.listen.rpartition(":")[0] + f":{port}",
            sources=len(engine.sources),
            receivers=len(engine.receivers),
        )
        self.systemd.ready()

    async def stop(self) -> None:
        """End within 5 s: polls are dropped, results committed, deliveries get a moment."""
        began = time.monotonic()
        log.info("daemon.stopping")
        self.systemd.stopping()
        await end(self._watching)
        self.database.hurry()
        self.bells.stop()
        await self.engine.stop()
        # beside each other: with a database that is silent each takes its whole time
        await asyncio.gather(end(self.readiness.under_way), self._give_back())
        await self.endpoints.stop()
        await self.engine.close()
        log.info("daemon.stopped", seconds=round(time.monotonic() - began, 2))

    async def _give_back(self) -> None:
        giving = asyncio.create_task(self._release())
        await asyncio.wait({giving}, timeout=RELEASE)
        given = giving.done()
        await end([giving])
        if not given or giving.exception() is not None:
            log.warning("leases.kept", reason="the database does not answer: they run out instead")

    async def _release(self) -> None:
        owner = self.config.monitor.instance
        await release_batches(self.database, owner=owner)
        await release_deliveries(self.database, owner=owner, now=self.engine.clock.now())
        await forget_instance(self.database, owner)
