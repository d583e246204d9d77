"""A moment of the show: all that the screen draws."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from monitor.core.batch import Watch
from monitor.core.delivery import DeliveryState

RUNNING: Final = "all is running"
"""What goes on while the batches live."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One event beside its delivery."""

    id: str
    at: datetime
    type: str
    source: str
    name: str
    what: str
    state: DeliveryState
    latency: timedelta | None = None
    """From the reading until the consumer had verified it; none before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """How often it all happened."""

    polls: int = 0
    polls_per_second: float = 0.0
    events: int = 0
    delivered: int = 0
    verified: int = 0
    duplicates: int = 0
    bad_signatures: int = 0
    gaps: int = 0
    median_latency: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What is seen at one time."""

    doing: str
    """What goes on, in a few words."""
    elapsed: float
    seconds: float
    watches: Sequence[Watch] = ()
    lines: Sequence[Line] = ()
    """The oldest first."""
    totals: Totals = Totals()
