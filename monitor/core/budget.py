"""A source's budget: a bucket of tokens, one for each request, that fills at its rate limit."""

from datetime import datetime, timedelta
from typing import Final

BUCKET: Final = timedelta(seconds=5)
"""How much of its rate a source may save up."""
DEBT: Final = timedelta(minutes=1)
"""How much of its rate it may owe: requests made besides polls are counted only afterwards."""
WAITING_SHARE: Final = 0.2
"""Of a claim of a pressed source: what goes to those due longest, whether they run or not."""


def fill(tokens: float, *, rate: float, since: datetime, now: datetime) -> float:
    """Return the tokens by now: those for 5 s at most, and at least one fits.

    `rate` is in requests per second. A clock that was put back takes nothing away.
    """
    capacity = max(1.0, rate * BUCKET.total_seconds())
    gone = max(0.0, (now - since).total_seconds())
    return min(capacity, tokens + gone * rate)


def spend(tokens: float, spent: int, *, rate: float) -> float:
    """Return what is left, or owed, after requests were made."""
    return max(tokens - spent, -rate * DEBT.total_seconds())


def debt(tokens: float, *, rate: float) -> timedelta:
    """Return for how long nothing may be spent."""
    return timedelta(seconds=max(0.0, -tokens / rate))


def room_for_running(room: int, *, dice: float) -> int:
    """Return how much of a pressed source's claim goes to batches that run.

    The dice (0 up to 1) rounds the rest, so that over many claims even of a single batch those due
    longest get their share.
    """
    return room - int(room * WAITING_SHARE + dice)
