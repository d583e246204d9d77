"""A clock that is stepped, a machine that sleeps, both DST nights: the next poll comes in time."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path
from random import Random

import pytest

from monitor.simulator.bolna import SimulatedBolna, bolna_document
from tests.conftest import Until
from tests.daemon_process import DaemonProcess
from tests.faults.clock import other_clock
from tests.faults.clock.other_clock import ClockFile
from tests.faults.figures import FULL, TIMED, Figures, sized
from tests.faults.settings import config
from tests.patient import HANG

RUNNING, SETTLED = "a" * 32, "b" * 32
INTERVAL = 1.5 if TIMED else 0.5
"""Seconds; the settled batch is polled once an hour. Where two of them are held to, they are long
enough for a machine to do its work in."""
POLLING = f"""
interval = "{1000 * INTERVAL:.0f}ms"
idle_interval = "{1000 * INTERVAL:.0f}ms"
settled_interval = "1h"
forget_after = "3650d"
"""
MINUTE, HOUR, NIGHT = 60.0, 3600.0, 8 * 3600.0
LONG = 200 * 24
"""Hours by which a machine without a clock of its own is put right."""
MOVES = sized(short=7, full=40)
YEARS = sized(short=1, full=5)
SILENCE = 8.0
"""Seconds within which a scheduler that fell silent is replaced: 5 until it counts as silent."""
PATIENCE = 2 * INTERVAL if TIMED else HANG
"""Seconds within which the next poll comes, whatever the clock does: two intervals."""


@dataclass(slots=True)
class Watched:
    """A daemon that polls by another clock, and how long each of its polls let wait for it."""

    daemon: DaemonProcess
    bolna: SimulatedBolna
    clock: ClockFile
    until: Until
    waits: list[float] = field(default_factory=list)
    late: list[str] = field(default_factory=list)

    async def start(self) -> None:
        """Start it, and see a first poll of each batch."""
        ids = (RUNNING, SETTLED)
        self.daemon.configure(config(self.bolna.base_url, {}, ids, polling=POLLING))
        await self.daemon.start(module=other_clock.__name__)
        await self.until(lambda: all(map(self.polls, ids)), what="first polls")

    def polls(self, batch: str) -> list[float]:
        """Return when a batch was polled."""
        return [served.at for served in self.bolna.served if served.batch == batch]

    async def polled(self, after: str, *, since: float, batch: str = RUNNING) -> float:
        """Wait for the next poll, and note it if it is late; give up an interval after that."""
        polls: list[float] = []

        def come() -> bool:
            polls[:] = [at for at in self.polls(batch) if at > since]
            return bool(polls) or time.monotonic() > since + PATIENCE + INTERVAL

        await self.until(come, seconds=2 * HANG, what="a poll, or the end of patience")
        wait = (polls[0] if polls else time.monotonic()) - since
        self.waits.append(wait)
        if wait > PATIENCE:
            self.late.append(f"after {after}: no poll within two intervals")
        return since + wait

    async def step(self, hours: int) -> None:
        """Put the wall clock ahead or back, midway between two polls."""
        last = self.polls(RUNNING)[-1]
        await self.until(lambda: time.monotonic() > last + INTERVAL / 2, what="half an interval")
        began, name = time.monotonic(), f"a step of {hours:+} h"
        self.clock.step(hours * HOUR)
        await self.polled(name, since=await self.polled(name, since=began))

    async def suspend(self) -> None:
        """Sleep for 8 hours, in which all connections end; what was due then is polled at once."""
        self.daemon.pause()
        await self.bolna.stop()
        self.clock.sleep(NIGHT)
        await self.bolna.start()
        began = time.monotonic()
        self.daemon.resume()
        await self.polled("8 h of sleep", since=began)
        await self.polled("8 h of sleep (a settled batch)", since=began, batch=SETTLED)

    async def stall(self) -> None:
        """Be stopped for two intervals, and go on."""
        self.daemon.pause()
        stopped = time.monotonic()
        await self.until(lambda: time.monotonic() > stopped + 2 * INTERVAL, what="the pause")
        began = time.monotonic()
        self.daemon.resume()
        await self.polled("SIGSTOP and SIGCONT", since=began)

    async def live_through(self, night: datetime) -> None:
        """Sleep until shortly before a change to or from DST, and live through it.

        The batch has moved meanwhile: else it would be forgotten.
        """
        calls = {"completed": night.toordinal()}
        self.bolna.put(RUNNING, bolna_document(RUNNING, status="running", execution_status=calls))
        self.clock.sleep_until(night - timedelta(seconds=INTERVAL))
        since = began = time.monotonic()
        while since < began + 3 * INTERVAL:
            since = await self.polled(f"the night of {night:%d.%m.%Y}", since=since)


@pytest.fixture
async def watched(
    daemon: DaemonProcess, until: Until, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Watched]:
    """Prepare a daemon in Berlin."""
    monkeypatch.setenv(other_clock.VARIABLE, str(tmp_path / "clock"))
    monkeypatch.setenv("TZ", "Europe/Berlin")
    async with SimulatedBolna(key="key") as bolna:
        bolna.put(RUNNING, bolna_document(RUNNING, status="running"))
        done = {"status": "completed", "execution_status": {"completed": 7}}
        bolna.put(SETTLED, bolna_document(SETTLED, **done))
        yield Watched(daemon, bolna, ClockFile(tmp_path / "clock"), until)
        await daemon.close()


async def test_after_a_step_or_a_sleep_the_next_poll_comes_within_two_intervals(
    watched: Watched, until: Until, figures: Figures
) -> None:
    dice, moves = Random(7), (1, -1, -1, "sleep", 1, "stop", LONG)
    await watched.start()
    for number in range(MOVES):
        move = moves[number] if number < len(moves) else dice.choice(moves)
        if isinstance(move, int):
            await watched.step(move)
        elif move == "sleep":
            await watched.suspend()
        else:
            await watched.stall()

    await until(
        lambda: watched.daemon.lines("scheduler.replanned") != [],
        what="another scheduler after a step back",
    )
    silent = watched.daemon.lines("scheduler.replanned")[0]["silent_seconds"]
    figures.add(
        "clock: steps, sleep, SIGSTOP", n=MOVES, unit="moves", failures=len(watched.late),
        detail=f"longest wait for a poll {max(watched.waits) / INTERVAL:.2f} intervals;"
        f" bells silent for {silent:.1f} s after a step back",
    )  # fmt: skip
    assert not watched.late, "\n".join(watched.late)
    assert silent < SILENCE or not TIMED


async def test_in_both_dst_nights_polls_go_on(watched: Watched, figures: Figures) -> None:
    nights = [night for year in range(2026, 2026 + YEARS) for night in changes(year)]
    watched.clock.step(nights[0].timestamp() - HOUR - time.time())
    await watched.start()
    for night in nights:
        await watched.live_through(night)

    figures.add(
        "clock: DST nights", n=len(nights), unit="nights", failures=len(watched.late),
        detail=f"longest wait for a poll {max(watched.waits) / INTERVAL:.2f} intervals",
    )  # fmt: skip
    assert not watched.late, "\n".join(watched.late)


if FULL:  # it takes a minute

    async def test_a_step_back_silences_housekeeping_for_two_minutes_at_most(
        watched: Watched, until: Until, figures: Figures
    ) -> None:
        await watched.start()
        began = time.monotonic()
        await watched.step(-1)

        def kept_house() -> bool:
            return watched.daemon.lines("clock.stepped") != []

        await until(kept_house, seconds=2 * MINUTE + 5, what="housekeeping after a step back")
        seconds = time.monotonic() - began
        figures.add(
            "clock: housekeeping", n=1, unit="step back", failures=0,
            detail=f"it came round {seconds:.0f} s after",
        )  # fmt: skip


def changes(year: int) -> tuple[datetime, datetime]:
    """Return when Berlin changes to DST and back: at 01:00 UTC on the last Sundays."""
    days = (date(year, 3, 31), date(year, 10, 31))
    sundays = [day - timedelta(days=day.isoweekday() % 7) for day in days]
    spring, autumn = (datetime.combine(day, clock_time(1), UTC) for day in sundays)
    return spring, autumn
