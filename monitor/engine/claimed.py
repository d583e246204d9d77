"""What is claimed ahead, to be begun as slots become free."""

from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

CLAIMS: Final = 2
"""What ends between so many claims is claimed ahead: claims in groups cost a fraction each."""
LONGEST: Final = 1.0
"""Seconds within which all that is claimed ahead is to be done."""
LARGEST: Final = 500

T = TypeVar("T")


class ClaimedAhead(Generic[T]):
    """Claims in their order; `size` is how many it should hold at the present pace."""

    def __init__(self, *, least: int) -> None:
        self.size = least
        self._least = least
        self._claims: deque[tuple[datetime, T]] = deque()
        self._claimed_at: datetime | None = None
        self._ended = 0

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._claims)

    def add(self, claims: Iterable[T], *, at: datetime) -> None:
        """Take claims in."""
        self._claims.extend((at, claim) for claim in claims)

    def measure(self, *, at: datetime) -> None:
        """Take the pace of what ended since the last time."""
        if self._claimed_at is not None and at > self._claimed_at:
            pace = self._ended / (at - self._claimed_at).total_seconds()
            size = min(CLAIMS * self._ended, int(pace * LONGEST), LARGEST)
            self.size = max(self._least, size)
        self._claimed_at, self._ended = at, 0

    def count_end(self) -> None:
        """Count something that ended."""
        self._ended += 1

    @property
    def first(self) -> T:
        """Return the next; raise IndexError when there is none."""
        return self._claims[0][1]

    def draw(self) -> T | None:
        """Take the next, if there is one."""
        return self._claims.popleft()[1] if self._claims else None

    def drop(self) -> list[T]:
        """Begin none of them; return them, to be given back: else their leases have to run out."""
        dropped = [claim for _, claim in self._claims]
        self._claims.clear()
        return dropped

    def drop_stale(self, *, at: datetime, patience: timedelta) -> list[T]:
        """Do so with those that have waited for longer than `patience`."""
        stale: list[T] = []
        while self._claims and at - self._claims[0][0] >= patience:
            stale.append(self._claims.popleft()[1])
        return stale
