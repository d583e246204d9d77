"""A Postgres that is stopped, or frozen, for a while: no restart, not ready, on by itself."""

import time
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import aiohttp
import pytest

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


@pytest.fixture
async def proxy(postgres_url: str) -> AsyncIterator[Proxy]:
    async with run_proxy(postgres_url) as proxy:
        yield proxy


@pytest.fixture
async def rig(tmp_path: Path, proxy: Proxy) -> AsyncIterator[Rig]:
    async with Rig(tmp_path, proxy.url) as rig:
        rig.tail = '[[batches]]\nsource = "bolna"\nid = "b1"\n'
        rig.show("b1", execution_status={"ringing": 7})
        yield rig


@pytest.fixture
async def heard(tmp_path: Path) -> AsyncIterator[NotifySocket]:
    async with notify_socket(tmp_path / "notify") as heard:
        yield heard


async def test_a_frozen_postgres_does_not_restart_the_daemon(
    rig: Rig, proxy: Proxy, heard: NotifySocket, until: Until
) -> None:
    daemon = await start(rig, heard, until)

    proxy.hold()
    await endure(rig, daemon, heard, until)
    proxy.release()

    await goes_on(rig, daemon, until)


async def test_a_stopped_postgres_does_not_restart_the_daemon(
    rig: Rig, proxy: Proxy, heard: NotifySocket, until: Until
) -> None:
    daemon = await start(rig, heard, until)

    await proxy.stop()
    await endure(rig, daemon, heard, until)
    await proxy.start()

    await goes_on(rig, daemon, until)


async def test_a_stop_while_postgres_is_frozen_takes_seconds(
    rig: Rig, proxy: Proxy, heard: NotifySocket, until: Until
) -> None:
    daemon = await start(rig, heard, until, module="monitor")
    proxy.hold()
    await until(lambda: proxy.held > 0)
    began = time.monotonic()

    code = await daemon.stop()

    seconds = time.monotonic() - began
    print(f"stopped in {seconds:.1f} s beside a frozen Postgres")
    assert code == 0
    assert seconds < 5 or not TIMED


async def start(
    rig: Rig, heard: NotifySocket, until: Until, *, module: str = patient.__name__
) -> DaemonProcess:
    environment = {"NOTIFY_SOCKET": str(heard.path), "WATCHDOG_USEC": "60000000"}
    rig.write()
    daemon = DaemonProcess(rig.folder, environment=environment)
    await daemon.start(module)
    await until(lambda: len(rig.crm.events) == 1)
    return daemon


async def endure(rig: Rig, daemon: DaemonProcess, heard: NotifySocket, until: Until) -> None:
    """Wait while the database is away; the watchdog is fed all the time, readiness says no."""
    began, before = time.monotonic(), len(heard.times("WATCHDOG=1"))
    rig.show("b1", execution_status={"completed": 3, "ringing": 4})

    def fed() -> list[float]:
        return heard.times("WATCHDOG=1")[before:]

    await until(lambda: len(fed()) >= FEEDS, seconds=FEEDS + patient.HANG, what="feeds")
    feeds = [began, *fed(), time.monotonic()]
    longest = max(later - earlier for earlier, later in pairwise(feeds))
    print(f"{FEEDS} feeds, at most {longest:.1f} s apart")
    assert longest < FEEDING or not TIMED
    listen = daemon.lines("daemon.started")[0]["listen"]
    async with aiohttp.ClientSession() as http, http.get(f"http://{listen}/-/ready") as response:
        assert response.status == 503
        assert (await response.text()).startswith("not ready\nthe database ")
    assert any(line.startswith("STATUS=not ready: the database") for line in heard.lines())


async def goes_on(rig: Rig, daemon: DaemonProcess, until: Until) -> None:
    """Poll and deliver again without a restart, with nothing lost."""
    rig.show("b1", status="completed", execution_status={"completed": 7})
    await until(lambda: "batch.completed" in rig.crm.types)
    assert await daemon.stop() == 0
    assert len(daemon.lines("daemon.started")) == 1
    told = sorted(set(sequences(rig.crm.events)))  # what could not be noted comes again
    assert told == list(range(1, len(told) + 1))
