"""A bell: wakes a loop that otherwise comes round by its own time-out."""

import asyncio


class Bell:
    """Ring from anywhere in the event loop; what rings while nobody waits is not lost."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()
        self._alarm: asyncio.TimerHandle | None = None

    def ring(self) -> None:
        """Let the loop come round now."""
        self._rung.set()

    def ring_in(self, seconds: float) -> None:
        """Ring by itself after so many seconds, unless it does so sooner."""
        loop = asyncio.get_running_loop()
        when = loop.time() + seconds
        if self._alarm is not None:
            if loop.time() < self._alarm.when() <= when:
                return
            self._alarm.cancel()
        self._alarm = loop.call_at(when, self.ring)

    async def wait(self, seconds: float | None = None) -> None:
        """Return when it rings, at the latest after so many seconds of the monotonic clock."""
        try:
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        except TimeoutError:
            return
        self._rung.clear()
