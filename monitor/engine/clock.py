"""The daemon's clock: monotonic time anchored to the database's or the system's."""

import time
from datetime import datetime, timedelta
from typing import Final

SMALL_STEP: Final = timedelta(seconds=2)
"""Differences below this are drift and are followed; larger ones are steps of a wall clock."""


class Clock:
    """Tell the time so that a step of the wall clock changes nothing."""

    def __init__(self, anchor: datetime) -> None:
        self._anchor = anchor
        self._since = _monotonic()

    def now(self) -> datetime:
        """Return the time, aware, UTC."""
        return self._anchor + timedelta(seconds=_monotonic() - self._since)

    def follow(self, reference: datetime, *, trusted: bool) -> timedelta:
        """Anchor anew to a reference and return how far it was off.

        A `trusted` reference (the database that replicas share) is always followed, the system's
        wall clock only as far as it drifts.
        """
        off = reference - self.now()
        if trusted or abs(off) < SMALL_STEP:
            self._anchor, self._since = reference, _monotonic()
        return off


def _monotonic() -> float:
    """Count seconds, those of a suspended machine too where the system tells them."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boottime is None else time.clock_gettime(boottime)
