"""The record: what a simulated API answered, to whom and when."""

import asyncio
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

RECORD_LIMIT: Final = 100_000
"""Answers kept in memory, and lines written to a file."""


@dataclass(frozen=True, slots=True)
class ServedAnswer:
    """One answer: its time (monotonic), and the body if it was healthy, else the fault."""

    at: float
    batch: str
    status_code: int | None
    """None: the connection ended without an answer."""
    body: bytes | None = None
    fault: str | None = None

    @property
    def document(self) -> Any:
        """Decode the body; none if there was a fault."""
        return None if self.body is None else json.loads(self.body)


class Record:
    """Keep the newest answers, and let tests wait for them."""

    def __init__(self) -> None:
        self.served: deque[ServedAnswer] = deque(maxlen=RECORD_LIMIT)
        self.answers = 0
        """All answers ever, also those that are no longer kept."""
        self._waiting: list[asyncio.Event] = []
        self._listeners: list[Callable[[ServedAnswer], None]] = []

    def add(self, served: ServedAnswer) -> None:
        """Note one answer."""
        self.served.append(served)
        self.answers += 1
        for event in self._waiting:
            event.set()
        for listener in self._listeners:
            listener(served)

    def listen(self, listener: Callable[[ServedAnswer], None]) -> None:
        """Call this with every answer from now on."""
        self._listeners.append(listener)

    async def until(self, condition: Callable[[], bool], *, seconds: float) -> None:
        """Return once the condition holds, asked after each answer; raise TimeoutError if not."""
        event = asyncio.Event()
        self._waiting.append(event)
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    event.clear()
                    await event.wait()
        finally:
            self._waiting.remove(event)
