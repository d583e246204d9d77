"""The daemon's process: its locks, its signals, its wait for the database, and its end."""

import asyncio
import faulthandler
import gc
import math
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, TypeVar

import structlog

from monitor.app import build_engine
from monitor.config.schema import Config, database_url
from monitor.core.errors import (
    ConfigError,
    DatabaseUnfitError,
    DataRefusedError,
    NotAdmittedError,
    SchemaError,
    StorageError,
)
from monitor.daemon.bells import Bells
from monitor.daemon.daemon import Daemon, Watcher
from monitor.daemon.gauges import Gauges
from monitor.daemon.heartbeat import Heartbeat
from monitor.daemon.instance_watch import InstanceWatch
from monitor.daemon.liveness import Liveness
from monitor.daemon.readiness import Readiness
from monitor.daemon.reload import Reload
from monitor.daemon.status import Status
from monitor.daemon.systemd import Systemd
from monitor.daemon.terminal import Terminal
from monitor.endpoints import Endpoints
from monitor.engine.clock import Clock
from monitor.engine.engine import Engine
from monitor.engine.loop import Bell, end, keep_running
from monitor.storage.batches.claim import release_batches
from monitor.storage.database import Database
from monitor.storage.deliveries.claim import release_deliveries
from monitor.storage.instances import forget_instance, touch_instance
from monitor.storage.schema.version import migrate
from monitor.storage.servers.lock import hold_file
from monitor.storage.servers.name import InstanceName
from monitor.storage.upkeep import heed_step_back

WAIT_FOR_DATABASE: Final = 60.0
"""Seconds that a Postgres gets to come up, as when both start with the machine."""
RETRY: Final = 1.0
"""Seconds between two tries."""
REMIND: Final = 15.0
"""Seconds between two lines of the log while it waits."""
EXTENSION: Final = 30.0
"""Seconds of more time to start that systemd is asked for with each try."""
COLLECT_AFTER: Final = 20_000
"""Objects made and not freed, of the kinds that can form cycles: some MiB."""
LONGEST_END: Final = 20.0
"""Seconds after which the process ends whatever hangs, with its tracebacks on standard error."""

TRACEBACKS: Final = 1.0
"""Seconds for them to be written, after which the system itself ends the process."""

log = structlog.stdlib.get_logger()

Done = TypeVar("Done")
Narrate = Callable[[Reload], Watcher]
"""Makes who tells a terminal what goes on, by the config in force."""


async def run(config: Config, *, narrate: Narrate | None = None) -> None:
    """Run until SIGTERM, SIGINT or a hang-up. Raises MonitorError when it cannot start."""
    stop, reload_bell, terminal = asyncio.Event(), Bell(), Terminal()

    def hang_up() -> None:
        (stop.set if terminal.is_gone else reload_bell.ring)()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, hang_up)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})  # one may have come meanwhile
    database = Database(database_url(config))
    with hold_file(database.file):
        try:
            await _run(config, database, stop, reload_bell, narrate=narrate)
        finally:
            await database.close()
            terminal.close()


async def _run(
    config: Config,
    database: Database,
    stop: asyncio.Event,
    reload_bell: Bell,
    *,
    narrate: Narrate | None,
) -> None:
    systemd, name = Systemd(), InstanceName(database, config.monitor.instance)
    prepare = partial(
        _prepare, config, database, name, systemd=systemd, reload_bell=reload_bell, narrate=narrate
    )
    preparing = asyncio.create_task(_patiently(prepare, database, systemd))
    stopping = asyncio.create_task(stop.wait())
    under_way: list[asyncio.Task[Any]] = [preparing, stopping]
    try:
        await asyncio.wait({preparing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not preparing.done():
            return
        daemon = preparing.result()
        _calm_collector()
        await _start(daemon, database, config.monitor.instance)
        looking = keep_running("namesake", InstanceWatch(name).run)
        under_way.append(asyncio.create_task(looking))
        await stopping
        _limit_end()
        await daemon.stop()
    finally:
        await end(under_way)
        await name.release()


async def _start(daemon: Daemon, database: Database, instance: str) -> None:
    """Start; raise ConfigError, and be no daemon that is alive, for a port that is taken."""
    try:
        await daemon.start()
    except ConfigError:
        await forget_instance(database, instance)
        raise


def _limit_end() -> None:
    """Have the process ended whatever hangs, even where nobody takes the tracebacks."""
    faulthandler.dump_traceback_later(LONGEST_END, exit=True)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(math.ceil(LONGEST_END + TRACEBACKS))


def _calm_collector() -> None:
    """Let the garbage collector look less often, and never again at what lives as long as we do.

    A poll makes many objects and no cycles: looking through them took a seventh of its CPU time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)


async def _prepare(
    config: Config,
    database: Database,
    name: InstanceName,
    *,
    systemd: Systemd,
    reload_bell: Bell,
    narrate: Narrate | None,
) -> Daemon:
    """Bring the database up to date and build all parts; nothing runs yet."""
    found, newest = await migrate(database)
    if found != newest:
        log.info("database.migrated", found=found, schema=newest)
    await name.keep()
    clock = Clock(await database.now())
    # on SQLite everybody's claims are given back: nobody else runs
    owner = None if database.file is not None else config.monitor.instance
    await release_batches(database, owner=owner)
    await release_deliveries(database, owner=owner, now=clock.now())
    ahead = await heed_step_back(database, now=clock.now())
    if ahead:
        log.warning("clock.stepped", seconds=-round(ahead.total_seconds(), 1))
    await touch_instance(database, config.monitor.instance, now=clock.now())
    engine = await build_engine(config, database, clock)
    return build_daemon(
        config, database, engine, systemd=systemd, reload_bell=reload_bell, narrate=narrate
    )


def build_daemon(
    config: Config,
    database: Database,
    engine: Engine,
    *,
    systemd: Systemd,
    reload_bell: Bell,
    narrate: Narrate | None = None,
) -> Daemon:
    """Put what watches an engine round it; nothing runs yet."""
    bells = Bells(
        {engine.poller.loop.bell: 1, engine.relay.loop.bell: 1, engine.housekeeping.loop.bell: 60}
    )
    beats = {name: loop.beat for name, loop in engine.loops.items()}
    liveness = Liveness(beats, bells=bells, systemd=systemd)
    readiness = Readiness(engine, database, liveness, instance=config.monitor.instance)
    heartbeat = Heartbeat(config.monitor.heartbeat_url, problems=readiness.problems)
    status_bell = Bell()
    reload = Reload(
        config=config,
        database=database,
        engine=engine,
        bell=reload_bell,
        heartbeat=heartbeat,
        status_bell=status_bell,
        systemd=systemd,
    )
    status = Status(
        systemd=systemd,
        readiness=readiness,
        database=database,
        bell=status_bell,
        reload_refused=lambda: reload.refused,
    )
    endpoints = Endpoints(
        ready=readiness.problems,
        status=status.line,
        before_scrape=Gauges(engine, database, readiness).refresh,
        registry=engine.metrics.registry,
    )
    watchers: dict[str, Watcher] = {
        "liveness": liveness,
        "reload": reload,
        "heartbeat": heartbeat,
        "status": status,
    }
    if narrate is not None:
        watchers["narrator"] = narrate(reload)
    return Daemon(
        config=config,
        database=database,
        engine=engine,
        bells=bells,
        endpoints=endpoints,
        readiness=readiness,
        systemd=systemd,
        watchers=watchers,
    )


async def _patiently(
    work: Callable[[], Awaitable[Done]], database: Database, systemd: Systemd
) -> Done:
    """Do a part of the start, over and over; a Postgres that is not there (yet) gets a minute.

    So does one that still takes us for alive, as after our host went down, and one where a daemon
    that stands still keeps others from a row.
    """
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + WAIT_FOR_DATABASE
    tell_at = 0.0
    while True:
        try:
            return await work()
        except (SchemaError, DataRefusedError, NotAdmittedError, DatabaseUnfitError):
            raise
        except StorageError as error:
            if database.file is not None or loop.time() > give_up_at:
                raise
            if loop.time() >= tell_at:
                log.warning("database.waiting", reason=str(error))
                tell_at = loop.time() + REMIND
            systemd.extend(EXTENSION)
            systemd.status(f"waiting for the database: {error}")
        await asyncio.sleep(RETRY)


def leave() -> None:
    """End the process in a second even if a look-up of Postgres' name holds one of its threads."""
    timer = threading.Timer(1, os._exit, (0,))
    timer.daemon = True  # else the end would wait for it
    timer.start()
