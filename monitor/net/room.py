"""Room for answers: so many bytes of them are held at once, whoever sends them."""

import asyncio
from collections import deque
from contextlib import suppress
from typing import Final

SMALL: Final = 64 * 1024
"""In bytes: an answer up to it needs no room of its own."""


class Room:
    """Bytes that answers may fill together, given in the order in which they are asked for."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def take(self, size: int) -> None:
        """Wait until so many bytes are free, and take them."""
        if size <= self._free and not self._waiting:
            self._free -= size
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        place = (size, turn)
        self._waiting.append(place)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                with suppress(ValueError):  # whoever gave meanwhile has passed it over
                    self._waiting.remove(place)
                self.give(0)
            else:  # it was given in the same moment
                self.give(size)
            raise

    def give(self, size: int) -> None:
        """Give bytes back, and to those who wait what is free for them now."""
        self._free += size
        while self._waiting and self._waiting[0][0] <= self._free:
            wanted, turn = self._waiting.popleft()
            if not turn.cancelled():
                self._free -= wanted
                turn.set_result(None)


class Place:
    """What one answer takes of the room, until whoever reads it leaves."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._taken = 0

    async def take(self, size: int) -> None:
        """Wait for room for an answer of so many bytes; what it had before is given back."""
        self.leave()
        await self._room.take(size)
        self._taken = size

    def leave(self) -> None:
        """Give back what was taken."""
        if self._taken:
            self._room.give(self._taken)
            self._taken = 0
