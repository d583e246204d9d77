"""Group commit: what comes is committed with all that waits, as soon as the database is free."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from monitor.core.errors import StorageError
from monitor.engine.clock import Clock
from monitor.engine.loop import RETRY, Bell, Loop

GROUP: Final = 500
"""Items of one commit at most: a row of a large group costs a tenth of a commit of its own."""


class GroupLoop(Loop):
    """Commit in groups until closed and empty.

    `company` is for how many seconds an item waits for others, unless it hurries. While the
    database fails all wait, and nothing is lost.
    """

    def __init__(
        self, name: str, *, clock: Clock, company: float, waits: Callable[[], bool]
    ) -> None:
        super().__init__(name, clock=clock)
        self._company = company
        self._waits = waits
        self._hurry = Bell()

    def hurry(self) -> None:
        """Let all that was taken in go out at once."""
        self.bell.ring()
        self._hurry.ring()

    async def run(self, turn: Callable[[], Awaitable[float | None]]) -> None:
        """Commit whenever something waits; a turn takes one group, and raises StorageError."""
        while not (self.closing and not self._waits()):
            self.beat.note()
            await self.bell.wait(self.every)
            if not self._waits():
                continue
            await self._hurry.wait(self._company)
            try:
                await turn()
            except StorageError as error:
                self.outage.began(error, at=self._clock.now())
                self.hurry()  # it has waited
                await asyncio.sleep(RETRY)
                continue
            self.outage.ended()
            if self._waits():
                self.bell.ring()

    def close(self) -> None:
        """Let `run` end once all that was taken in is committed."""
        self.closing = True
        self.hurry()
