"""The show: from the first curtain to the reckoning, unless somebody ends it before."""

import asyncio
import signal
import time
from contextlib import suppress
from typing import Final

from monitor.core.errors import DemoError
from monitor.demo.ending import Ending
from monitor.demo.moment import RUNNING, Moment, Summarise, Watcher
from monitor.demo.presenter import Presenter
from monitor.demo.stage import Stage, set_up

START_PATIENCE: Final = 60.0
"""Seconds that the daemon gets to start."""
LAST_PATIENCE: Final = 10.0
"""Seconds that the last events get to arrive."""
_FRAME: Final = 0.2
"""Seconds between two looks."""


async def perform(seconds: float, presenter: Presenter, summarise: Summarise) -> Ending:
    """Perform for so long, or until SIGINT, SIGTERM or SIGHUP; raises DemoError."""
    interruption = Interruption()
    with presenter:
        async with set_up(seconds) as stage:
            return await _Show(stage, presenter, summarise, interruption).play()


class Interruption:
    """Notice the signals that end the show; a second one spares the wait for the last events."""

    def __init__(self) -> None:
        self._stop, self._hurry = asyncio.Event(), asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self._signalled)

    def _signalled(self) -> None:
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    @property
    def came(self) -> bool:
        """Tell whether the show is to end."""
        return self._stop.is_set()

    async def within(self, seconds: float) -> bool:
        """Wait so long at most; tell whether the show is to end."""
        return await _happens(self._stop, seconds)

    async def again_within(self, seconds: float) -> bool:
        """Wait so long at most; tell whether it is to end at once."""
        return await _happens(self._hurry, seconds)


async def _happens(event: asyncio.Event, seconds: float) -> bool:
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
    return event.is_set()


class _Show:
    def __init__(
        self, stage: Stage, presenter: Presenter, summarise: Summarise, interruption: Interruption
    ) -> None:
        self._stage = stage
        self._presenter = presenter
        self._watcher = Watcher(stage, summarise)
        self._interruption = interruption

    async def play(self) -> Ending:
        await self._start()
        self._stage.begin()
        await self._go_on()
        self._stage.curtain.fall()
        return await self._end()

    async def _start(self) -> None:
        patience = time.monotonic() + START_PATIENCE
        while not self._stage.daemon.has_started():
            if time.monotonic() > patience:
                raise DemoError(f"the daemon has not started within {START_PATIENCE:.0f} s")
            await self._look("starting the daemon")
            if await self._interruption.within(_FRAME):
                return

    async def _go_on(self) -> None:
        while self._stage.curtain.elapsed() < self._stage.seconds:
            await self._look(RUNNING)
            if await self._interruption.within(_FRAME):
                return

    async def _end(self) -> Ending:
        """Give the last events their time, then reckon."""
        stage = self._stage
        patience = time.monotonic() + LAST_PATIENCE
        while True:
            missing = stage.reckoning.missing(stage.consumer)
            moment = await self._look("waiting for the last events")
            all_told = not missing and moment.tally.delivered == moment.tally.events
            if all_told or time.monotonic() > patience:
                break
            if await self._interruption.again_within(_FRAME):
                break
        interrupted = self._interruption.came
        return Ending(moment=moment, missing=missing, interrupted=interrupted)

    async def _look(self, doing: str) -> Moment:
        self._stage.daemon.check()
        moment = await self._watcher.look(doing)
        self._presenter.show(moment, self._stage)
        return moment
