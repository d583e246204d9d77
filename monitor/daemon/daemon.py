"""The daemon: its engine, the endpoints and the watchers, started and ended as one."""

import asyncio
import time
from collections.abc import Mapping
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


class Daemon:
    """Own the engine of one process, and the watchers beside it."""

    def __init__(
        self,
        config: Config,
        database: Database,
        engine: Engine,
        *,
        bells: Bells,
        endpoints: Endpoints,
        readiness: Readiness,
        systemd: Systemd,
        watchers: Mapping[str, Watcher],
    ) -> None:
        self._config = config
        self._database = database
        self._engine = engine
        self._bells = bells
        self._endpoints = endpoints
        self._readiness = readiness
        self._systemd = systemd
        self.watchers = watchers
        self._watching: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Listen and start the loops; then say so. Raises ConfigError for a port that is taken."""
        engine, server = self._engine, self._config.server
        instance = self._config.monitor.instance
        port = await self._endpoints.start(*server.address)
        engine.start()
        self._bells.start()
        for name, watcher in self.watchers.items():
            self._watching.append(asyncio.create_task(keep_running(name, watcher.run)))
        log.info(
            "daemon.started",
            version=__version__,
            instance=instance,
            database=self._database.place,
            listen=server.listen.rpartition(":")[0] + f":{port}",
            sources=len(engine.sources),
            receivers=len(engine.receivers),
        )
        self._systemd.ready()

    async def stop(self) -> None:
        """End within 5 s: polls are dropped, results committed, deliveries get a moment."""
        began = time.monotonic()
        log.info("daemon.stopping")
        self._systemd.stopping()
        await end(self._watching)
        self._database.hurry()
        self._bells.stop()
        await self._engine.stop()
        # beside each other: with a database that is silent each takes its whole time
        await asyncio.gather(end(self._readiness.under_way), self._give_back())
        await self._endpoints.stop()
        await self._engine.close()
        log.info("daemon.stopped", seconds=round(time.monotonic() - began, 2))

    async def _give_back(self) -> None:
        giving = asyncio.create_task(self._release())
        await asyncio.wait({giving}, timeout=RELEASE)
        given = giving.done()
        await end([giving])
        if not given or giving.exception() is not None:
            log.warning("leases.kept", reason="the database does not answer: they run out instead")

    async def _release(self) -> None:
        owner = self._config.monitor.instance
        await release_batches(self._database, owner=owner)
        await release_deliveries(self._database, owner=owner, now=self._engine.clock.now())
        await forget_instance(self._database, owner)
