"""The trace: what happened in one run of a seed, line by line, in virtual time."""

import asyncio
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from pathlib import Path
from traceback import format_exc
from typing import Any, Final

from tests.faults.simulation.loop import current_process

SURPRISES: Final = frozenset(
    {
        "loop.crashed",
        "poll.crashed",
        "poll.dropped",
        "poll.group_failed",
        "poll.refused_by_database",
        "delivery.crashed",
        "delivery.unsettled",
        "lane.repaired",
    }
)
"""What the engine logs only when something is wrong with itself."""


class Trace:
    """Keep lines; the same seed makes the same ones, byte for byte."""

    def __init__(self, seconds: Callable[[], float], folder: Path) -> None:
        self.lines: list[str] = []
        self.surprises: list[str] = []
        self._seconds = seconds
        self._folder = f"{folder}/"
        self._awaited: tuple[str, str, asyncio.Event] | None = None

    def __call__(self, what: str) -> None:
        """Keep one line."""
        process = current_process()
        name = process.name if process else "-"
        self.lines.append(f"{self._seconds():14.6f} {name:4} {self._anywhere(what)}")
        if self._awaited and name == self._awaited[0] and what.startswith(self._awaited[1]):
            self._awaited[2].set()

    def _anywhere(self, what: str) -> str:
        """Leave out the folder, which is another one each time."""
        return what.replace(self._folder, "").rstrip()

    async def moment(self, name: str, what: str, *, within: float) -> None:
        """Return when a process does something, in the midst of it, or after so many seconds."""
        self._awaited = name, what, asyncio.Event()
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._awaited[2].wait()
        self._awaited = None

    def hear(self, event: str, about: MutableMapping[str, Any]) -> None:
        """Keep what the engine logs."""
        error = about.pop("exc_info", None) and f" {_error()}"
        said = " ".join(f"{name}={value}" for name, value in about.items())
        self(f"log {event} {said}{error or ''}")
        if event in SURPRISES:
            self.surprises.append(self.lines[-1])


def _error() -> str:
    return format_exc().replace("\n", " | ")
