"""Dialling: what a batch shows while its calls go on, from the first to the last."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from monitor.simulator.story import dial, seeded
from tests.days.part import Scene

Counts = Mapping[str, int]
LAG = timedelta(minutes=2)
"""For so long the newer generation still says `running` after the last call."""


def dialling(
    name: str,
    calls: Counts,
    busy: str,
    last: str,
    at: datetime,
    lasts: timedelta,
    starts_at: datetime | None = None,
) -> Iterator[Scene]:
    """Dial call after call; the older generation says its last word once all are dispatched."""
    dice = seeded(name)
    course = [calls, *dial(calls, dice)]
    share = lasts / len(course)
    for number, counts in enumerate(course):
        dispatched = last == "executed" and not {"queued", "scheduled"} & counts.keys()
        word = last if dispatched else busy
        moment = at + (number + dice.uniform(-0.3, 0.3)) * share if number else at
        yield Scene(at=moment, status=word, counts=counts, scheduled_at=starts_at)
    if last != "executed":  # the status lags
        end = at + lasts + LAG
        yield Scene(at=end, status=last, counts=course[-1], scheduled_at=starts_at)


def later(scene: Scene, by: timedelta) -> Scene:
    """Show the same at a later time."""
    return Scene(at=scene.at + by, status=scene.status, counts=scene.counts)
