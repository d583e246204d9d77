"""Calls by status: which are open, and what the open ones wait for."""

from collections.abc import Callable
from enum import Enum, auto
from typing import TypedDict

from monitor.core.batch import Counts
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


class Calls(TypedDict):
    """What a reading says of calls, as far as the counts tell."""

    open_calls: int
    parked_calls: int
    live_calls: int
    unknown_call_statuses: tuple[str, ...]


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
    return Calls(
        open_calls=left,
        parked_calls=parked,
        live_calls=left - parked - queued,
        unknown_call_statuses=unknown,
    )
