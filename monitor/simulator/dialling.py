"""Dialling: the course of a job's contacts, from its queue into its dials, one after another."""

from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any, Final

Stands = tuple[str, ...]
"""Where each contact of a job stands, in the order in which they are dialled."""
Lists = Mapping[str, Sequence[Mapping[str, Any]]]
"""The rows of each of a job's lists by its name, oldest first."""

QUEUED: Final = "queued"
ON_ITS_WAY: Final = ""
"""Taken out of the queue, but no dial yet: in neither list."""

_NEXT: Final[Mapping[str, Sequence[str]]] = {
    ON_ITS_WAY: ("ringing",),
    "ringing": ("in-progress", "in-progress", "no-answer", "busy", "failed"),
    "in-progress": ("completed",),
}
_SCENES: Final = 12
"""In about so many scenes all contacts are taken out of the queue."""
_SURE_AFTER: Final = 24


def dialled(contacts: int, dice: Random) -> Iterator[Stands]:
    """Dial all contacts of a job, showing how they stand in between; at first all are queued."""
    stands: Stands = (QUEUED,) * contacts
    yield stands
    scene = 0
    while any(stand == QUEUED or stand in _NEXT for stand in stands):
        scene += 1
        moved = [_go_on(stand, dice, sure=scene > _SURE_AFTER) for stand in stands]
        taken = contacts if scene > _SURE_AFTER else dice.randint(1, 2 * contacts // _SCENES + 1)
        stands = _take_out(moved, taken)
        yield stands


def _go_on(stand: str, dice: Random, *, sure: bool) -> str:
    if stand in _NEXT and (sure or dice.random() < 0.6):
        return dice.choice(_NEXT[stand])
    return stand


def _take_out(stands: list[str], number: int) -> Stands:
    first = stands.index(QUEUED) if QUEUED in stands else len(stands)
    taken = min(number, len(stands) - first)
    return (*stands[:first], *[ON_ITS_WAY] * taken, *stands[first + taken :])


def cancelled(stands: Stands) -> Stands:
    """Hang up, and drop the queue: those contacts are in no list any more."""
    return tuple(ON_ITS_WAY if s == QUEUED else "canceled" if s in _NEXT else s for s in stands)


def lists_of(job_id: str, stands: Stands) -> Lists:
    """Put contacts that stand so into the job's lists; a dial has another id than its contact."""
    each = list(enumerate(stands))
    return {
        "queue": [{"id": f"{job_id}-c{n}"} for n, stand in each if stand == QUEUED],
        "dials": [
            {"id": f"{job_id}-d{n}", "status": stand}
            for n, stand in each
            if stand not in {QUEUED, ON_ITS_WAY}
        ],
    }
