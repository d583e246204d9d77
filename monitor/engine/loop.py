"""A loop of the daemon: its bell, its beat, what the database refuses it, and its end."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Any, Final

import structlog

from monitor.core.errors import StorageError
from monitor.engine.clock import Clock
from monitor.engine.outage import Outage

TURN: Final = 1.0
"""Seconds after which a loop comes round by itself."""
RETRY: Final = 1.0
"""Seconds between tries while the database fails."""
SHORTEST_WAIT: Final = 0.02
"""Seconds that something due waits for more: a turn costs the same for one as for many."""
CANCELLING: Final = 0.5
"""Seconds that tasks get to end once they are cancelled."""

log = structlog.stdlib.get_logger()


class Bell:
    """Wake a loop from anywhere in the event loop; what rings while nobody waits is not lost."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()
        self._alarm: asyncio.Handle | None = None
        self._rings_at = 0.0
        """When it rings: uvloop's handle of what is due already does not say it."""

    def ring(self) -> None:
        """Let the loop come round now."""
        self._rung.set()

    def ring_in(self, seconds: float) -> None:
        """Ring by itself after so many seconds, unless it does so sooner."""
        loop = asyncio.get_running_loop()
        when = loop.time() + seconds
        if self._alarm is not None:
            if self._rings_at <= when:
                return
            self._alarm.cancel()
        self._alarm, self._rings_at = loop.call_at(when, self._go_off), when

    def _go_off(self) -> None:
        self._alarm = None
        self.ring()

    async def wait(self, seconds: float | None = None) -> None:
        """Return when it rings, at the latest after so many seconds of the monotonic clock."""
        try:
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        except TimeoutError:
            return
        self._rung.clear()


class Beat:
    """When a loop last came round, by the monotonic clock: a loop that hangs is found by it.

    A pass that ended in an error counts as a turn. `every` is the longest pause, in seconds, that
    the loop makes between two passes.
    """

    def __init__(self, *, every: float) -> None:
        self._every = every
        self._turned_at = loop_time()

    def note(self) -> None:
        """Note that the loop comes round."""
        self._turned_at = loop_time()

    @property
    def overdue(self) -> float:
        """Return for how many seconds the loop should have come round; 0 while all is well."""
        return max(0.0, loop_time() - self._turned_at - self._every)


class Loop:
    """Come round whenever the bell rings, and by itself, until closed.

    Each part of the engine has one, and decides what a turn does. APScheduler rings the bells too,
    but a loop never needs it: a silent scheduler delays nothing.
    """

    def __init__(self, name: str, *, clock: Clock, every: float | None = None) -> None:
        self.every = TURN if every is None else every
        """Seconds after which it comes round by itself."""
        self.bell = Bell()
        self.beat = Beat(every=self.every)
        self.outage = Outage(name)
        self.closing = False
        self._clock = clock

    async def run(self, turn: Callable[[], Awaitable[float | None]]) -> None:
        """Make turns until closed; each may return the seconds until the next one at the latest.

        What the database refuses ends a turn, not the loop.
        """
        while not self.closing:
            self.beat.note()
            pause: float | None = RETRY
            try:
                pause = await turn()
            except StorageError as error:
                self.outage.began(error, at=self._clock.now())
            await self.bell.wait(self.every if pause is None else pause)

    def expect(self, due_at: datetime) -> None:
        """Come round when something is due, if that is sooner than by itself."""
        wait = (due_at - self._clock.now()).total_seconds()
        if wait < self.every:
            self.bell.ring_in(max(SHORTEST_WAIT, wait))

    def close(self) -> None:
        """Let `run` end after the turn under way."""
        self.closing = True
        self.bell.ring()


async def keep_running(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run a loop to its end, beginning again when it raises what nobody foresaw."""
    while True:
        try:
            return await run()
        except Exception:
            log.exception("loop.crashed", loop=name)
            await asyncio.sleep(1)


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait a moment for them.

    Twice: psycopg holds a first cancellation up for as long as a database answers nothing.
    """
    left = {task for task in tasks if not task.done()}
    for _ in range(2):
        for task in left:
            task.cancel()
        if left:
            _, left = await asyncio.wait(left, timeout=CANCELLING)


def loop_time() -> float:
    """Return the event loop's time, monotonic."""
    return asyncio.get_running_loop().time()
