"""An instance: one daemon of several on the store, started, killed, paused, stopped and started."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from random import Random
from typing import cast

import pytest

from monitor.app import build_engine
from monitor.config.load import load
from monitor.config.schema import Config, database_url
from monitor.daemon.bells import Bells
from monitor.daemon.daemon import Daemon
from monitor.daemon.heartbeat import Heartbeat
from monitor.daemon.readiness import Readiness
from monitor.daemon.reload import Reload
from monitor.daemon.systemd import Systemd
from monitor.endpoints import Endpoints
from monitor.engine.clock import Clock
from monitor.engine.loop import Bell
from monitor.storage.batches.claim import release_batches
from monitor.storage.deliveries.claim import release_deliveries
from tests.faults.simulation.loop import Process
from tests.faults.simulation.store import FaultyDatabase
from tests.faults.simulation.trace import Trace
from tests.faults.simulation.weather import Act, Weather

Now = Callable[[], datetime]

LONGEST_WAIT = 3600.0
"""Seconds that an act waits for the daemon to be in the midst of something."""
STARTS_ANEW_AFTER = 5.0
"""Seconds after which one that could not start is started anew, as systemd does."""


class Instance:
    """Run the real daemon in a process, but for its ports: HTTP, systemd, the scheduler."""

    def __init__(
        self, name: str, config: Path, *, weather: Weather, trace: Trace, now: Now
    ) -> None:
        self.name = name
        self._config = config
        self.slowest_stop = 0.0
        """Seconds."""
        self.hanging: list[str] = []
        """Tasks that were left after a clean stop."""
        self._weather = weather
        self._trace = trace
        self._now = now
        self._dice = Random(f"instance {name} of {weather.seed}")
        self._processes: list[Process] = []
        self._databases: list[FaultyDatabase] = []
        self._daemon: Daemon | None = None
        self._reload: Reload | None = None

    async def start(self) -> None:
        """Start it, again and again until it has started."""
        while True:
            self._processes.append(Process(self.name))
            booting = self._process.spawn(self._boot())
            await asyncio.wait({booting})
            if booting.exception() is None:
                return
            self._trace(f"could not start {self.name}: {booting.exception()}")
            await self._cut()
            await asyncio.sleep(STARTS_ANEW_AFTER)

    async def suffer(self, act: Act) -> None:
        """Undergo what is done to it, until it works again."""
        if act.amid:
            await self._trace.moment(self.name, act.amid, within=LONGEST_WAIT)
        self._weather.done.append(replace(act, at=asyncio.get_running_loop().time()))
        self._trace(f"act {act}")
        if act.deed == "reload":
            await self._load_anew()
        elif act.deed == "stop":
            await self.stop()
        else:
            self._process.stop()
        if act.deed == "crash":
            await self._cut()
        await asyncio.sleep(act.lasts)
        if act.deed in {"crash", "stop"}:
            await self.start()
        elif act.deed == "pause":
            self._process.go_on()

    async def stop(self) -> None:
        """End it as SIGTERM does."""
        assert self._daemon is not None
        loop = asyncio.get_running_loop()
        began = loop.time()
        stopping = self._process.spawn(self._daemon.stop())
        await asyncio.wait({stopping})
        stopping.result()
        self.slowest_stop = max(self.slowest_stop, loop.time() - began)
        await self._cut()
        self.hanging += [repr(task) for task in self._process.tasks if not task.done()]

    async def bury(self) -> None:
        """Let go of all tasks that a kill has left behind."""
        left = [task for process in self._processes for task in process.tasks if not task.done()]
        for task in left:
            task.cancel()
        for process in self._processes:
            process.go_on()
        await asyncio.gather(*left, return_exceptions=True)

    @property
    def _process(self) -> Process:
        return self._processes[-1]

    async def _load_anew(self) -> None:
        assert self._reload is not None
        await asyncio.wait({self._process.spawn(self._reload.reload())})

    async def _cut(self) -> None:
        """Close the connections of a process that has ended, however."""
        self._databases[-1].cut = True
        await self._databases[-1].close()

    async def _boot(self) -> None:
        """Do what the program does before its loops run."""
        config, owner = self._load(), self.name
        database = FaultyDatabase(
            database_url(config),
            weather=self._weather,
            trace=self._trace,
            dice=self._dice,
            now=self._now,
        )
        self._databases.append(database)
        clock = Clock(await database.now())
        await release_batches(database, owner=owner)
        await release_deliveries(database, owner=owner, now=clock.now())
        engine = await build_engine(config, database, clock)
        systemd = Systemd({})
        self._reload = Reload(
            config=config,
            database=database,
            engine=engine,
            bell=Bell(),
            heartbeat=Heartbeat(None, problems=_no_problems),
            status_bell=Bell(),
            systemd=systemd,
        )
        self._daemon = Daemon(
            config=config,
            database=database,
            engine=engine,
            bells=cast(Bells, _NoBells()),
            endpoints=cast(Endpoints, _NoPort()),
            readiness=cast(Readiness, _Ready()),
            systemd=systemd,
            watchers={},
        )
        await self._daemon.start()
        self._trace("started")

    def _load(self) -> Config:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MONITOR_INSTANCE", self.name)
            return load(self._config)


class _NoBells:
    """Ring none: the loops wake by what happens, and by themselves."""

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass


class _NoPort:
    async def start(self, _host: str, _port: int) -> int:
        return 0

    async def stop(self) -> None:
        pass


class _Ready:
    under_way: frozenset[asyncio.Task[None]] = frozenset()


async def _no_problems() -> list[str]:
    return []
