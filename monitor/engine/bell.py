"""A bell: wakes a loop that otherwise comes round by its own time-out."""

import asyncio


class Bell:
    """Ring from anywhere in the event loop; what rings while nobody waits is not lost."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Let the loop come round now."""
        self._rung.set()

    async def wait(self, seconds: float | None = None) -> None:
        """Return when it rings, at the latest after so many seconds of the monotonic clock."""
        try:
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        except TimeoutError:
            return
        self._rung.clear()
