"""The daemon: loops, bells, signals, and a clean end."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from monitor import __version__
from monitor.app import Engine, build_engine, open_database
from monitor.config.schema import Config
from monitor.core.errors import StorageError
from monitor.engine.clock import Clock
from monitor.engine.outage import Outage
from monitor.operations import Operations
from monitor.storage.batches import release_batches
from monitor.storage.database import Database
from monitor.storage.deliveries import release_deliveries
from monitor.storage.lock import hold_file
from monitor.storage.schema import migrate
from monitor.storage.upkeep import pending_deliveries, touch_instance

STALE: Final = timedelta(seconds=30)
"""A loop that has not turned for this long is not well."""
CHECK: Final = 2.0
"""Seconds after which a database that takes a write no sooner is not well."""
PATIENCE: Final = 2.5
"""Seconds that deliveries under way get at the end."""
FLUSH: Final = 0.5
"""Seconds that the last results get to be committed."""

log = structlog.stdlib.get_logger()


async def run(config: Config) -> None:
    """Run until SIGTERM or SIGINT. Raises MonitorError when it cannot start."""
    database = open_database(config)
    with hold_file(database.file):
        try:
            await _run(config, database)
        finally:
            await database.close()


async def _run(config: Config, database: Database) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, _tell_restart)
    found, newest = await migrate(database)
    if found != newest:
        log.info("database.migrated", found=found, schema=newest)
    clock = Clock(await database.now())
    await _release(config, database, clock, at_start=True)
    daemon = Daemon(config, database, await build_engine(config, database, clock))
    await daemon.start()
    await stop.wait()
    await daemon.stop()


def _tell_restart() -> None:
    """Stay up when the terminal goes or somebody expects a reload."""
    log.warning("config.not_reloaded", reason="this version reads the config at its start only")


async def _release(config: Config, database: Database, clock: Clock, *, at_start: bool) -> None:
    """Give back claims: at the start on SQLite everybody's, since nobody else runs."""
    owner = None if at_start and database.file is not None else config.monitor.instance
    await release_batches(database, owner=owner)
    await release_deliveries(database, owner=owner, now=clock.now())


class Beating(Protocol):
    """Tell when a loop last turned, and what the database refuses it."""

    beat_at: datetime | None
    outage: Outage


class Daemon:
    """Own the loops of one process."""

    def __init__(self, config: Config, database: Database, engine: Engine) -> None:
        self._config = config
        self._database = database
        self._engine = engine
        self._loops: list[asyncio.Task[None]] = []
        self._write: asyncio.Task[None] | None = None
        """The write by which readiness is checked."""
        self._scheduler = AsyncIOScheduler(timezone=UTC)
        self._operations = Operations(
            ready=self._problems,
            before_scrape=self._refresh_gauges,
            registry=engine.metrics.registry,
        )

    async def start(self) -> None:
        """Listen, start the loops and ring their bells."""
        server = self._config.server
        port = await self._operations.start(server.host, server.port)
        engine = self._engine
        for part in (engine.writer, engine.settler, engine.relay, engine.poller):
            self._loops.append(asyncio.create_task(_keep_running(type(part).__name__, part.run)))
        self._loops.append(
            asyncio.create_task(_keep_running("Housekeeping", engine.housekeeping.run))
        )
        self._ring(engine.poller.bell, seconds=1)
        self._ring(engine.relay.bell, seconds=1)
        self._ring(engine.housekeeping.bell, seconds=60)
        self._scheduler.start()
        log.info(
            "daemon.started",
            version=__version__,
            instance=self._config.monitor.instance,
            database=self._database.place,
            listen=f"{server.host}:{port}",
            sources=len(engine.accounts),
            receivers=len(engine.receivers),
        )

    async def stop(self) -> None:
        """End within 5 s: polls are dropped, results committed, deliveries get a moment."""
        began = time.monotonic()
        engine = self._engine
        log.info("daemon.stopping")
        self._database.hurry()
        self._scheduler.shutdown(wait=False)
        engine.housekeeping.close()
        await engine.poller.close()
        engine.writer.close()
        writer, settler, *others = self._loops
        await asyncio.wait({writer}, timeout=FLUSH)
        await engine.relay.close(patience=PATIENCE)
        engine.settler.close()
        # all of them: SQLite's lock may outlive a unit of work that is cancelled
        await asyncio.wait(self._loops, timeout=FLUSH)
        ending = [writer, settler, *others, *([self._write] if self._write else [])]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        await self._give_back()
        await self._operations.stop()
        for account in engine.accounts:
            await account.provider.close()
        for receiver in engine.receivers:
            await receiver.sink.close()
        log.info("daemon.stopped", seconds=round(time.monotonic() - began, 2))

    async def _give_back(self) -> None:
        try:
            async with asyncio.timeout(FLUSH):
                await _release(self._config, self._database, self._engine.clock, at_start=False)
        except (StorageError, TimeoutError):
            log.warning("leases.kept", reason="the database does not answer: they run out instead")

    def _ring(self, bell: asyncio.Event, *, seconds: int) -> None:
        async def ring() -> None:  # plain functions would ring from another thread
            bell.set()

        self._scheduler.add_job(
            ring,
            "interval",
            seconds=seconds,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
        )

    async def _problems(self) -> list[str]:
        engine, now = self._engine, self._engine.clock.now()
        loops: dict[str, Beating] = {
            "poller": engine.poller,
            "writer": engine.writer,
            "relay": engine.relay,
            "settler": engine.settler,
        }
        problems = [
            f"the {name} has not turned for {STALE.total_seconds():.0f} s"
            for name, loop in loops.items()
            if loop.beat_at is None or now - loop.beat_at > STALE
        ]
        outages = {loop.outage.reason for loop in loops.values() if loop.outage.reason}
        return problems + sorted({*outages, *await self._problems_of_database(now)})

    async def _problems_of_database(self, now: datetime) -> list[str]:
        """Try a write. One that hangs goes on: checks do not pile up, and cancelling it waits."""
        if self._write is None:
            touch = touch_instance(self._database, self._config.monitor.instance, now=now)
            self._write = asyncio.create_task(touch)
        write = self._write
        await asyncio.wait({write}, timeout=CHECK)
        if not write.done():
            return [f"the database {self._database.place} has taken no write for {CHECK:.0f} s"]
        self._write = None
        error = None if write.cancelled() else write.exception()
        if error is not None and not isinstance(error, StorageError):
            raise error
        return [] if error is None else [str(error)]

    async def _refresh_gauges(self) -> None:
        metrics = self._engine.metrics
        for account in self._engine.accounts:
            metrics.source_up.labels(account.source.name).set(account.health.failing_since is None)
        try:
            pending = await pending_deliveries(self._database)
        except StorageError:
            return
        for receiver in self._engine.receivers:
            metrics.deliveries_pending.labels(receiver.name).set(pending.get(receiver.name, 0))


async def _keep_running(name: str, run_loop: Callable[[], Awaitable[None]]) -> None:
    """Run a loop to its end, beginning anew when it raises what nobody foresaw."""
    while True:
        try:
            return await run_loop()
        except Exception:
            log.exception("loop.crashed", loop=name)
            await asyncio.sleep(1)
