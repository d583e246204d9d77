"""What is promised in seconds, held to them: the rooms' own tests assert the order of things."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from tests.conftest import Until
from tests.consumer import Consumer
from tests.daemon_process import DaemonProcess
from tests.engine.rig import Rig
from tests.faults.figures import Figures
from tests.proxy import run_proxy
from tests.simulator.faults import Fault

STOP, ADD, MANY, RELOAD = 5.0, 2.0, 10.0, 3.0
"""Seconds: to stop, to poll what was added, to add 100,000, to try a corrected receiver."""

Start = Callable[[Rig], Awaitable[DaemonProcess]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start the program as users do; whatever still runs at the end is killed."""
    made: list[DaemonProcess] = []

    async def run(rig: Rig) -> DaemonProcess:
        rig.write()
        made.append(DaemonProcess(rig.folder))
        await made[-1].start("monitor")
        return made[-1]

    yield run
    for one in made:
        await one.close()


async def seconds_to_stop(daemon: DaemonProcess) -> float:
    began = time.monotonic()
    assert await daemon.stop() == 0
    return time.monotonic() - began


def keep(figures: Figures, what: str, seconds: float, promised: float) -> None:
    """Note how long it took, and hold it to the promise."""
    figures.add(
        f"promise: {what}", n=1, unit="time", failures=int(seconds >= promised),
        detail=f"{seconds:.2f} s of {promised:.0f}",
    )  # fmt: skip
    assert seconds < promised


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_it(
    rig: Rig, start: Start, until: Until, figures: Figures, number: int
) -> None:
    daemon = await start(rig)
    await until(daemon.started)
    began = time.monotonic()

    assert await daemon.stop(number) == 0

    keep(figures, f"a stop by signal {number}", time.monotonic() - began, STOP)


async def test_it_stops_while_a_provider_and_a_receiver_hang(
    rig: Rig, start: Start, until: Until, figures: Figures
) -> None:
    rig.crm.hang()
    rig.show("b1", "b2", "b3")
    rig.tail = "".join(f'[[batches]]\nsource = "bolna"\nid = "b{n}"\n' for n in (1, 2, 3))
    daemon = await start(rig)
    await until(lambda: rig.crm.in_flight == 3)
    rig.bolna.fault(Fault.black_hole())
    await until(lambda: [s.fault for s in rig.bolna.served].count("black_hole") == 3)

    keep(figures, "a stop while others hang", await seconds_to_stop(daemon), STOP)


async def test_it_stops_while_the_database_is_waited_for(
    rig: Rig, start: Start, until: Until, postgres_url: str, figures: Figures
) -> None:
    async with run_proxy(postgres_url) as proxy:
        rig.url = proxy.url
        proxy.hold()
        daemon = await start(rig)
        await until(lambda: proxy.waiting > 0)

        keep(figures, "a stop while it waits for the database", await seconds_to_stop(daemon), STOP)


async def test_a_batch_that_is_added_is_polled(
    rig: Rig, start: Start, until: Until, figures: Figures
) -> None:
    rig.show("b1")
    daemon = await start(rig)
    await until(daemon.started)
    await rig.build()
    await rig.add("b1")
    added = time.monotonic()

    await until(lambda: rig.polls("b1") > 0)

    keep(figures, "a poll of what was added", time.monotonic() - added, ADD)
    await rig.database.close()
    assert await daemon.stop() == 0


async def test_add_takes_100_000_ids(rig: Rig, figures: Figures) -> None:
    ids = "\n".join(f"{number:032x}" for number in range(100_000))
    command = (sys.executable, "-m", "monitor", "add", "bolna", "-", "-c", str(rig.write()))
    began = time.monotonic()

    adding = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=os.environ
    )
    out, _ = await adding.communicate(ids.encode())

    assert out.startswith(b"100,000 new")
    keep(figures, "add of 100,000 ids", time.monotonic() - began, MANY)


async def test_a_receiver_that_was_corrected_is_tried(
    rig: Rig, start: Start, until: Until, figures: Figures
) -> None:
    other = Consumer()
    await other.start()
    rig.crm.status = 503
    rig.show("b1")
    rig.tail = '[[batches]]\nsource = "bolna"\nid = "b1"\n'
    daemon = await start(rig)
    await until(lambda: len(rig.crm.arrived) > 0)

    path = rig.write()
    path.write_text(path.read_text().replace(rig.crm.url, other.url))
    corrected = time.monotonic()
    daemon.tell(signal.SIGHUP)
    await until(lambda: other.types == ["batch.first_seen"])

    keep(figures, "a try of a receiver that was corrected", time.monotonic() - corrected, RELOAD)
    assert await daemon.stop() == 0
    await other.stop()
