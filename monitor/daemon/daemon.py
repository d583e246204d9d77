"""The daemon: its loops started in order, watched, and ended within seconds."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, Protocol

import structlog

from monitor import __version__
from monitor.app import Engine
from monitor.config.schema import Config
from monitor.daemon.bells import Bells
from monitor.daemon.readiness import Readiness
from monitor.daemon.reload import Reload
from monitor.daemon.systemd import Systemd
from monitor.operations import Operations
from monitor.storage.batches.claim import release_batches
from monitor.storage.database import Database
from monitor.storage.deliveries.claim import release_deliveries
from monitor.storage.instances import forget_instance

DELIVERIES_TIMEOUT: Final = 2.5
"""Seconds that deliveries under way get at the end."""
FLUSH: Final = 0.5
"""Seconds that the last results get to be committed."""

log = structlog.stdlib.get_logger()


class Watcher(Protocol):
    """Look after the daemon for as long as it runs."""

    async def run(self) -> None:
        """Run for ever."""
        ...


class Daemon:
    """Own the loops of one process, and the watchers beside them."""

    def __init__(
        self,
        config: Config,
        database: Database,
        engine: Engine,
        *,
        bells: Bells,
        operations: Operations,
        readiness: Readiness,
        reload: Reload,
        systemd: Systemd,
        watchers: Mapping[str, Watcher],
    ) -> None:
        self._config = config
        self._database = database
        self._engine = engine
        self._bells = bells
        self._operations = operations
        self._readiness = readiness
        self._reload = reload
        self._systemd = systemd
        self._watchers = watchers
        self._loops: dict[str, asyncio.Task[None]] = {}
        self._watching: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Listen and start the loops; then say so. Raises ConfigError for a port that is taken."""
        engine, server = self._engine, self._config.server
        instance = self._config.monitor.instance
        port = await self._operations.start(server.host, server.port)
        for name, loop in engine.loops.items():
            self._loops[name] = asyncio.create_task(keep_running(name, loop.run))
        self._bells.start()
        for name, watcher in self._watchers.items():
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
        await self._end_loops()
        await self._give_back()
        await self._operations.stop()
        await self._reload.close()
        for source in self._engine.sources:
            await source.provider.close()
        for receiver in self._engine.receivers:
            await receiver.sink.close()
        log.info("daemon.stopped", seconds=round(time.monotonic() - began, 2))

    async def _end_loops(self) -> None:
        """End each loop once those before it on the data's way have ended."""
        engine = self._engine
        engine.housekeeping.close()
        engine.discovery.close()
        await engine.poller.close()
        engine.writer.close()
        await asyncio.wait({self._loops["writer"]}, timeout=FLUSH)
        await engine.relay.close(patience=DELIVERIES_TIMEOUT)
        engine.settler.close()
        # all of them: SQLite's lock may outlive a unit of work that is cancelled
        await asyncio.wait(self._loops.values(), timeout=FLUSH)
        await end([*self._loops.values(), *self._readiness.under_way])

    async def _give_back(self) -> None:
        giving = asyncio.create_task(self._release())
        await asyncio.wait({giving}, timeout=FLUSH)
        given = giving.done()
        await end([giving])
        if not given or giving.exception() is not None:
            log.warning("leases.kept", reason="the database does not answer: they run out instead")

    async def _release(self) -> None:
        owner = self._config.monitor.instance
        await release_batches(self._database, owner=owner)
        await release_deliveries(self._database, owner=owner, now=self._engine.clock.now())
        await forget_instance(self._database, owner)


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait a moment for them.

    Twice: psycopg holds a first cancellation up for as long as a database answers nothing.
    """
    left = {task for task in tasks if not task.done()}
    for _ in range(2):
        for task in left:
            task.cancel()
        if left:
            _, left = await asyncio.wait(left, timeout=FLUSH)


async def keep_running(name: str, run_loop: Callable[[], Awaitable[None]]) -> None:
    """Run a loop to its end, beginning anew when it raises what nobody foresaw."""
    while True:
        try:
            return await run_loop()
        except Exception:
            log.exception("loop.crashed", loop=name)
            await asyncio.sleep(1)
