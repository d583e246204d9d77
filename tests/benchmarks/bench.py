"""The bench: what all measurements of one run share."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.databases import Databases
from tests.benchmarks.stock import fill
from tests.benchmarks.target import Target

DiscoveryAnswer = Mapping[str, float]
"""What one measurement found, by the names that the report prints."""
HEAD_START: Final = timedelta(seconds=4)
"""Time in which a daemon starts before its batches are due one after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Say how large the measurements are; a smoke test takes small ones."""

    seconds: float
    batches: tuple[int, int, int]
    """Registered, for the cost of a poll: few, more and many."""
    backlog: int
    """Deliveries that wait to be drained."""
    pace: int
    """Polls a second while latency is measured."""

    @property
    def warming(self) -> float:
        """Return the seconds that go before each measurement, uncounted."""
        return self.seconds / 5


@dataclass(slots=True, kw_only=True)
class Bench:
    """Hold the target, and one kind of database with what is filled in already."""

    sizes: Sizes
    target: Target
    databases: Databases
    folder: Path
    _filled: dict[int, str] = field(default_factory=dict)
    _made: int = 0

    def database_with(self, batches: int) -> str:
        """Return a database with so many batches, each read once, all due; made once a run."""
        if batches not in self._filled:
            self._filled[batches], _ = self._new_filled(batches)
        return self._filled[batches]

    def database_owing(self, backlog: int, *, batches: int) -> tuple[str, float]:
        """Return a new database that owes deliveries, and the CPU seconds of storing them."""
        return self._new_filled(batches, backlog=backlog)

    def database_spread(self, batches: int) -> str:
        """Return a new database whose batches are due one after the other, over a second."""
        url, _ = self._new_filled(batches, due_after=HEAD_START, spread=timedelta(seconds=1))
        return url

    def new_database(self) -> str:
        """Return the URL of a new, empty database."""
        self._made += 1
        return self.databases.create(f"bench-{self._made}")

    def _new_filled(self, batches: int, **about: Any) -> tuple[str, float]:
        url = self.new_database()
        stored = asyncio.run(fill(url, batches, **about))
        self.databases.tidy(url)
        return url, stored
