"""The daemon's clock: monotonic time anchored to the database's or the system's.

Daemons that share a Postgres agree by it, and a step of the wall clock changes nothing.
"""

import time
from datetime import datetime, timedelta
from typing import Final

SMALL_STEP: Final = timedelta(seconds=2)
"""Differences below this are drift and are followed; larger ones are steps of a wall clock."""


class Clock:
    """The time, such that a step of the wall clock changes nothing."""

    def __init__(self, anchor: datetime) -> None:
        self._anchor = anchor
        self._since = _monotonic()

    def now(self) -> datetime:
        """Return the time, aware, UTC."""
        return self._anchor + timedelta(seconds=_monotonic() - self._since)

    def follow(self, reference: datetime, *, trusted: bool) -> timedelta:
        """Anchor again to a reference; return how far off it is if that was not done, else nothing.

        Drift is always followed. Steps forward are only those of a `trusted` reference, the
        database that replicas share; steps back never: what is due would wait as long again.
        """
        off = reference - self.now()
        if abs(off) < SMALL_STEP or (trusted and off > timedelta()):
            self._anchor, self._since = reference, _monotonic()
            return timedelta()
        return off


def _monotonic() -> float:
    """Count seconds, those of a suspended machine too where the system counts them."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boottime is None else time.clock_gettime(boottime)
