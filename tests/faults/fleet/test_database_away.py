"""A Postgres that is stopped, or frozen, for a while: no restart, not ready, on by itself."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy.engine import make_url

from monitor.daemon.liveness import HANG
from tests import patient
from tests.conftest import Until
from tests.consumer import sequences
from tests.daemon_process import DaemonProcess
from tests.engine.rig import Rig
from tests.faults.figures import TIMED, sized
from tests.proxy import Proxy, run_proxy
from tests.systemd import NotifySocket, notify_socket

FEEDS = sized(short=round(HANG) + 4, full=120)
"""How often the watchdog is fed meanwhile, once a second: longer than a loop may hang."""
FEEDING = 10.0
"""Seconds that may pass between two feeds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Hold a daemon's surroundings: its database is behind a proxy."""

    rig: Rig
    proxy: Proxy
    heard: NotifySocket
    until: Until

    async def start(self, *, module: str = patient.__name__) -> DaemonProcess:
        """Start the daemon, and see its first event."""
        environment = {"NOTIFY_SOCKET": str(self.heard.path), "WATCHDOG_USEC": "60000000"}
        self.rig.write()
        daemon = DaemonProcess(self.rig.folder, environment=environment)
        await daemon.start(module)
        await self.until(lambda: len(self.rig.crm.events) == 1)
        return daemon


@pytest.fixture
async def make_world(
    tmp_path: Path, make_postgres_url: Callable[[], str], until: Until
) -> AsyncIterator[Callable[[], Awaitable[World]]]:
    """Make worlds that know nothing of each other."""
    async with AsyncExitStack() as stack:

        async def make() -> World:
            url = make_postgres_url()
            folder = tmp_path / (make_url(url).database or "")
            folder.mkdir()
            proxy = await stack.enter_async_context(run_proxy(url))
            heard = await stack.enter_async_context(notify_socket(folder / "notify"))
            rig = await stack.enter_async_context(Rig(folder, proxy.url))
            rig.tail = '[[batches]]\nsource = "bolna"\nid = "b1"\n'
            rig.show("b1", execution_status={"ringing": 7})
            return World(rig=rig, proxy=proxy, heard=heard, until=until)

        yield make


async def test_a_frozen_or_stopped_postgres_does_not_restart_the_daemon(
    make_world: Callable[[], Awaitable[World]],
) -> None:
    """Both at once: each takes longer than a loop may hang."""

    async def freeze(world: World) -> None:
        daemon = await world.start()
        world.proxy.hold()
        await endure(world, daemon)
        world.proxy.release()
        await goes_on(world, daemon)

    async def stop(world: World) -> None:
        daemon = await world.start()
        await world.proxy.stop()
        await endure(world, daemon)
        await world.proxy.start()
        await goes_on(world, daemon)

    frozen, stopped = await make_world(), await make_world()
    async with asyncio.TaskGroup() as both:
        both.create_task(freeze(frozen))
        both.create_task(stop(stopped))


async def test_a_stop_while_postgres_is_frozen_takes_seconds(
    make_world: Callable[[], Awaitable[World]], until: Until
) -> None:
    world = await make_world()
    daemon = await world.start(module="monitor")
    world.proxy.hold()
    await until(lambda: world.proxy.held > 0)
    began = time.monotonic()

    code = await daemon.stop()

    seconds = time.monotonic() - began
    print(f"stopped in {seconds:.1f} s beside a frozen Postgres")
    assert code == 0
    assert seconds < 5 or not TIMED


async def endure(world: World, daemon: DaemonProcess) -> None:
    """Wait while the database is away; the watchdog is fed all the time, readiness says no."""
    rig, heard = world.rig, world.heard
    began, before = time.monotonic(), len(heard.times("WATCHDOG=1"))
    rig.show("b1", execution_status={"completed": 3, "ringing": 4})

    def fed() -> list[float]:
        return heard.times("WATCHDOG=1")[before:]

    await world.until(lambda: len(fed()) >= FEEDS, seconds=FEEDS + patient.HANG, what="feeds")
    feeds = [began, *fed(), time.monotonic()]
    longest = max(later - earlier for earlier, later in pairwise(feeds))
    print(f"{FEEDS} feeds, at most {longest:.1f} s apart")
    assert longest < FEEDING or not TIMED
    listen = daemon.lines("daemon.started")[0]["listen"]
    async with aiohttp.ClientSession() as http, http.get(f"http://{listen}/-/ready") as response:
        assert response.status == 503
        assert (await response.text()).startswith("not ready\nthe database ")
    assert any(line.startswith("STATUS=not ready: the database") for line in heard.lines())


async def goes_on(world: World, daemon: DaemonProcess) -> None:
    """Poll and deliver again without a restart, with nothing lost."""
    rig = world.rig
    rig.show("b1", status="completed", execution_status={"completed": 7})
    await world.until(lambda: "batch.completed" in rig.crm.types)
    assert await daemon.stop() == 0
    assert len(daemon.lines("daemon.started")) == 1
    told = sorted(set(sequences(rig.crm.events)))  # what could not be noted comes again
    assert told == list(range(1, len(told) + 1))
