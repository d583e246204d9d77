"""Room for answers: so many bytes of them are held at once, whoever sends them."""

import asyncio
from collections import deque
from typing import Final

SMALL: Final = 64 * 1024
"""In bytes: an answer up to it needs no room of its own."""


class Room:
    """Bytes that answers may fill together, given in the order in which they are asked for."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._free = size
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def take(self, size: int) -> None:
        """Wait until so many bytes are free, and take them."""
        if size <= self._free and not self._waiting:
            self._free -= size
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            self.give(0 if turn.cancelled() else size)
            raise

    def give(self, size: int) -> None:
        """Give bytes back, and to those who wait what is free for them now."""
        self._free += size
        while self._waiting:
            wanted, turn = self._waiting[0]
            if not turn.cancelled():
                if wanted > self._free:
                    return
                self._free -= wanted
                turn.set_result(None)
            self._waiting.popleft()


class Place:
    """What one answer takes of its rooms, until whoever reads it leaves."""

    def __init__(self, *rooms: Room) -> None:
        self._rooms = rooms
        self._taken: list[tuple[Room, int]] = []

    async def take(self, size: int) -> None:
        """Wait for room for an answer of so many bytes; what it had before is given back."""
        self.leave()
        for room in self._rooms:
            await room.take(size)
            self._taken.append((room, size))

    def leave(self) -> None:
        """Give back what was taken."""
        while self._taken:
            room, size = self._taken.pop()
            room.give(size)
