"""The show: from the rise of the curtain to its summary, unless somebody ends it before."""

import asyncio
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Final

from monitor.core.errors import DemoError
from monitor.demo.moment import RUNNING, Moment
from monitor.demo.presenter import Present
from monitor.demo.stage import Stage, set_up
from monitor.demo.watcher import Watcher
from monitor.facts.times import write_latency

START_TIMEOUT: Final = 60.0
"""Seconds that the daemon gets to start."""
LAST_TIMEOUT: Final = 10.0
"""Seconds that the last events get to arrive."""
_FRAME: Final = 0.2
"""Seconds between two looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What the show amounted to: the last moment, and what is missing by then."""

    moment: Moment
    missing: Sequence[str]
    interrupted: bool

    @property
    def well(self) -> bool:
        """Return whether everything served has arrived, whole, verified and in order."""
        totals = self.moment.totals
        return not (self.missing or totals.gaps or totals.bad_signatures)

    def lines(self) -> Iterator[str]:
        """Write it."""
        yield self._verdict()
        yield ""
        for name, value in self._facts().items():
            yield f"  {name:<15}{value:>8}"
        for lost in self.missing:
            yield f"  missing: {lost}"

    def _verdict(self) -> str:
        if not self.well:
            return "monitor demo: not all that was served has arrived as it should"
        until = " until you ended it" if self.interrupted else ""
        return f"monitor demo: all that was served{until} has arrived, verified"

    def _facts(self) -> dict[str, str]:
        totals, watches = self.moment.totals, self.moment.watches
        ended = sum(bool(w.known and w.known.settled_at) for w in watches)
        latency = totals.median_latency
        return {
            "batches": f"{len(watches):,}",
            "of them ended": f"{ended:,}",
            "polls": f"{totals.polls:,}",
            "events": f"{totals.events:,}",
            "delivered": f"{totals.delivered:,}",
            "verified": f"{totals.verified:,}",
            "duplicates": f"{totals.duplicates:,}",
            "bad signatures": f"{totals.bad_signatures:,}",
            "gaps": f"{totals.gaps:,}",
            "missing": f"{len(self.missing):,}",
            "median latency": "-" if latency is None else write_latency(latency),
        }


async def perform(seconds: float, presenter: AbstractContextManager[Present]) -> Summary:
    """Perform for `seconds`, or until SIGINT, SIGTERM or SIGHUP; raise DemoError."""
    interruption = _Interruption()  # before the screen is taken, and until it is given back
    with presenter as present:
        async with set_up(seconds) as stage:
            return await _Show(stage, present, interruption).play()


class _Interruption:
    """The signals that end the show; a second one spares the wait for the last events."""

    def __init__(self) -> None:
        self.first, self.second = asyncio.Event(), asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self._signalled)

    def _signalled(self) -> None:
        if self.first.is_set():
            self.second.set()
        self.first.set()


async def _comes(signalled: asyncio.Event) -> bool:
    """Wait until the next look at most; return whether there was a signal."""
    with suppress(TimeoutError):
        await asyncio.wait_for(signalled.wait(), _FRAME)
    return signalled.is_set()


class _Show:
    def __init__(self, stage: Stage, present: Present, interruption: _Interruption) -> None:
        self._stage = stage
        self._present = present
        self._watcher = Watcher(stage)
        self._interruption = interruption

    async def play(self) -> Summary:
        await self._start()
        self._stage.begin()
        await self._go_on()
        self._stage.curtain.fall()
        return await self._end()

    async def _start(self) -> None:
        patience = time.monotonic() + START_TIMEOUT
        while not self._stage.daemon.has_started():
            if time.monotonic() > patience:
                raise DemoError(f"the daemon has not started within {START_TIMEOUT:.0f} s")
            await self._look("starting the daemon")
            if await _comes(self._interruption.first):
                return

    async def _go_on(self) -> None:
        while self._stage.curtain.elapsed() < self._stage.seconds:
            await self._look(RUNNING)
            if await _comes(self._interruption.first):
                return

    async def _end(self) -> Summary:
        """Give the last events their time, then reckon."""
        stage = self._stage
        patience = time.monotonic() + LAST_TIMEOUT
        while True:
            missing = stage.reckoning.missing(stage.arrivals)
            moment = await self._look("waiting for the last events")
            all_reported = not missing and moment.totals.delivered == moment.totals.events
            if all_reported or time.monotonic() > patience:
                break
            if await _comes(self._interruption.second):
                break
        interrupted = self._interruption.first.is_set()
        return Summary(moment=moment, missing=missing, interrupted=interrupted)

    async def _look(self, doing: str) -> Moment:
        self._stage.daemon.check()
        moment = await self._watcher.look(doing)
        self._present(moment)
        return moment
