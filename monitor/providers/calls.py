"""Calls by status: which are open, and what the open ones wait for."""

from collections.abc import Callable
from enum import Enum, auto

from monitor.core.batch import Counts
from monitor.core.value import value
from monitor.providers.document import LARGEST_COUNT, invalid


class CallStanding(Enum):
    """What a call status means for the batch; all but the first are open."""

    FINAL = auto()
    QUEUED = auto()
    """Not dialled yet."""
    PARKED = auto()
    """Waits for a later time by plan."""
    LIVE = auto()
    """Is being dialled or spoken."""
    UNKNOWN = auto()
    """A word that we do not know: it counts as live."""


@value
class Calls:
    """What counts amount to."""

    open: int
    parked: int
    live: int
    unknown: tuple[str, ...]
    """Call statuses that we do not know."""


def weigh(counts: Counts, standing: Callable[[str], CallStanding]) -> Calls:
    """Sum counts up by the standing of each status; raise PollError beyond 64 bits."""
    total = final = parked = queued = 0
    unknown: tuple[str, ...] = ()
    for status, number in counts.items():
        total += number
        match standing(status):
            case CallStanding.FINAL:
                final += number
            case CallStanding.PARKED:
                parked += number
            case CallStanding.QUEUED:
                queued += number
            case CallStanding.UNKNOWN:
                unknown += (status,)
            case CallStanding.LIVE:
                pass
    if total > LARGEST_COUNT:
        raise invalid()
    left = total - final
    return Calls(open=left, parked=parked, live=left - parked - queued, unknown=unknown)
