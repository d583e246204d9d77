"""The record: what a simulated API answered, to whom and when."""

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

RECORD_LIMIT: Final = 100_000
"""Answers kept in memory."""


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
    """Keep the newest answers, and tell who listens of each."""

    def __init__(self) -> None:
        self.served: deque[ServedAnswer] = deque(maxlen=RECORD_LIMIT)
        self.answers = 0
        """All answers ever, also those that are no longer kept."""
        self._listeners: list[Callable[[ServedAnswer], None]] = []

    def add(self, served: ServedAnswer) -> None:
        """Note one answer."""
        self.served.append(served)
        self.answers += 1
        for listener in self._listeners:
            listener(served)

    def listen(self, listener: Callable[[ServedAnswer], None]) -> None:
        """Call this with every answer from now on."""
        self._listeners.append(listener)
