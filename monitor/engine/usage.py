"""How many polls of a source began in the last minute."""

from collections import deque
from datetime import datetime, timedelta

MINUTE = timedelta(minutes=1)


class Usage:
    """Count the polls of the last minute, claim by claim."""

    def __init__(self) -> None:
        self._claims: deque[tuple[datetime, int]] = deque()

    def add(self, polls: int, *, at: datetime) -> None:
        """Count the polls of one claim."""
        self._forget(at)
        self._claims.append((at, polls))

    def polls(self, at: datetime) -> int:
        """Return how many there were in the minute before `at`."""
        self._forget(at)
        return sum(polls for _, polls in self._claims)

    def _forget(self, at: datetime) -> None:
        while self._claims and self._claims[0][0] <= at - MINUTE:
            self._claims.popleft()
