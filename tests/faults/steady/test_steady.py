"""Minutes of load with two dead receivers: the daemon stays as small, the healthy one as fast."""

import asyncio
import os
import signal
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from monitor.simulator.bolna import SimulatedBolna
from tests.conftest import Until
from tests.consumer import Consumer
from tests.daemon_process import DaemonProcess
from tests.faults.figures import FULL, TIMED, Figures, sized
from tests.faults.settings import config
from tests.faults.steady import counted
from tests.faults.steady.footprint import footprint
from tests.faults.steady.latency import p99
from tests.faults.unrest import changing
from tests.patient import HANG

ALONE = float(sized(short=2, full=60))
SECONDS = float(sized(short=7, full=600))
BATCHES = sized(short=10, full=20)
EVERY = SECONDS / 30
POLLING = 'interval = "200ms"\n'
WAL_KIB = 16 * 1024
"""SQLite writes the WAL back from 4 MiB on, unless somebody reads meanwhile."""
GROWTH = 1.02
FORGIVEN = {"memory": 2048 if FULL else 8192, "files": 3, "tasks": 5}
"""How much more the last third of the samples may show than the second: KiB, and numbers."""
NOISE = 0.0 if FULL else 0.5
"""Seconds that the short run forgives: its 99th percentile is the slowest of a hundred deliveries,
on a machine that does other things too. Who waits for a silent receiver waits for 15 s."""


@dataclass(slots=True)
class Samples:
    """Hold what was seen of a daemon, again and again."""

    memory: list[float] = field(default_factory=list)
    files: list[float] = field(default_factory=list)
    tasks: list[float] = field(default_factory=list)
    wal: list[float] = field(default_factory=list)

    async def take(self, daemon: DaemonProcess, until: Until) -> None:
        """Look at it once."""
        told = len(daemon.lines(counted.LINE))
        os.kill(daemon.pid, counted.SIGNAL)
        await until(lambda: len(daemon.lines(counted.LINE)) > told, what="it counts its tasks")
        seen = footprint(daemon.pid)
        self.memory.append(seen.memory)
        self.files.append(seen.files)
        self.tasks.append(daemon.lines(counted.LINE)[-1]["tasks"])
        self.wal.append((daemon.folder / "monitor.db-wal").stat().st_size / 1024)

    def growing(self) -> dict[str, tuple[float, float]]:
        """Return what the last third shows more of than the second: (before, after)."""
        found = {}
        for name, forgiven in FORGIVEN.items():
            before, after = self.thirds(name)
            if after > GROWTH * before + forgiven:
                found[name] = (before, after)
        return found

    def thirds(self, name: str) -> tuple[float, float]:
        """Return the means of the second and the last third of the samples."""
        values = getattr(self, name)
        third = len(values) // 3
        return statistics.mean(values[third:-third]), statistics.mean(values[-third:])


async def test_with_two_dead_receivers_it_stays_as_small_and_as_fast(
    consumer: Consumer, daemon: DaemonProcess, until: Until, figures: Figures
) -> None:
    ids = [f"{number:032x}" for number in range(BATCHES)]
    samples = Samples()
    async with SimulatedBolna(key="key") as bolna, changing(bolna, ids), black_hole() as hole:
        healthy = {"healthy": consumer.url}
        daemon.configure(config(bolna.base_url, healthy, ids, polling=POLLING))
        await daemon.start(counted.__name__)
        await until(lambda: len(consumer.accepted) > 3 * BATCHES, what="events arrive")
        alone = time.monotonic()
        await until(lambda: time.monotonic() > alone + ALONE, seconds=ALONE + HANG, what="time")

        dead = {"refusing": "http://127.0.0.1:9", "silent": hole}
        daemon.configure(config(bolna.base_url, healthy | dead, ids, polling=POLLING))
        os.kill(daemon.pid, signal.SIGHUP)
        await until(lambda: daemon.lines("config.reloaded") != [], what="the reload")
        began = time.monotonic()
        while time.monotonic() < began + SECONDS:
            await samples.take(daemon, until)
            await asyncio.sleep(EVERY)
        ended = time.monotonic()
    await until(lambda: not owed_to("healthy", daemon, consumer), what="all arrived")
    status = await daemon.stop()

    waiting = sum(receiver in dead for _, receiver in daemon.stored().owed)
    without, during = (
        p99(consumer, "healthy", *phase) for phase in ((alone, began), (began, ended))
    )
    growing, wal = samples.growing(), max(samples.wal)
    slower = during > 2 * without + NOISE
    shown = {name: "{:,.0f} -> {:,.0f}".format(*samples.thirds(name)) for name in FORGIVEN}
    figures.add(
        "small and steady", n=round(SECONDS), unit="s",
        failures=len(growing) + (wal > WAL_KIB) + (slower and TIMED),
        detail=f"memory {shown['memory']} KiB, tasks {shown['tasks']}, files {shown['files']},"
        f" WAL at most {wal:,.0f} KiB; healthy p99 {during * 1000:.0f} ms, without dead ones"
        f" {without * 1000:.0f} ms; {waiting:,} deliveries wait",
    )  # fmt: skip
    assert growing == {}, "it grows"
    assert wal <= WAL_KIB
    assert waiting >= BATCHES
    if TIMED:
        assert not slower
        assert waiting >= BATCHES * SECONDS
    assert status == 0


@asynccontextmanager
async def black_hole() -> AsyncIterator[str]:
    """Accept connections, and never answer."""

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            pass
        writer.close()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


def owed_to(receiver: str, daemon: DaemonProcess, consumer: Consumer) -> set[str]:
    """Return the events that a receiver is owed and has not accepted."""
    accepted = {one.event_id for one in consumer.accepted if one.receiver == receiver}
    return {event for event, owed in daemon.stored().owed if owed == receiver} - accepted
