"""A forecast: how fast a batch's calls finish, and when the last one will."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from monitor.core.batch import Course, Knowledge, Phase, progress

WINDOW = timedelta(minutes=15)
"""How far back the pace looks: long enough for steadiness, short enough to notice a change."""
LONGEST_COURSE = 32
"""Points that are kept; of more, every other one goes."""
FEWEST_POINTS = 3
"""Two steps at least: one says nothing of a pace."""
FARTHEST = timedelta(days=30)
"""An end farther off than this is not forecast."""
STEPS_TO_HALT = 4
"""Usual steps without a finished call after which it stands still: no end is in sight."""

_MILLISECOND = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """A pace, and the end that it leads to if it lasts."""

    calls_per_minute: float
    ends_at: datetime | None
    """None: farther off than is forecast, or beyond the hours in which it dials."""


def course_of(before: Course, known: Knowledge, *, at: datetime) -> Course:
    """Return the course with what is known now; it starts again after a wait, pause or recount."""
    if known.counts is None or known.settled_at or known.phase is Phase.PAUSED or not known.begun:
        return ()
    finished = sum(known.counts.values()) - known.open_calls
    if not before or finished < before[-1][1]:
        return ((_milliseconds(at), finished),)
    if finished == before[-1][1]:
        return before
    recent = _recent(before, _milliseconds(at - WINDOW))
    if len(recent) == LONGEST_COURSE:
        recent = recent[::2]
    return (*recent, (_milliseconds(at), finished))


def forecast(known: Knowledge, *, at: datetime) -> Forecast | None:
    """Measure the pace of the last 15 minutes before `at`, the time of the last reading.

    None when nothing honest can be said: no total, nothing left, too few points, no call finished
    lately, or none for much longer than usual: the end of a batch that stands still would only
    recede. Nor has it an end while all open calls wait for a time that nobody knows.
    """
    left, course = _left(known), known.course
    if not left or len(course) < FEWEST_POINTS or known.stalled_at is not None:
        return None
    now = _milliseconds(at)
    start, finished_before = _start(course, _milliseconds(at - WINDOW))
    finished = course[-1][1] - finished_before
    if finished <= 0 or now <= start or _halts(course, since=start, now=now):
        return None
    pace = finished * timedelta(minutes=1) / ((now - start) * _MILLISECOND)
    return Forecast(calls_per_minute=pace, ends_at=_end(known, left / pace, at))


def write_rate(calls_per_minute: float) -> str:
    """Write a pace in two digits, or whole: `2.5`, `1,234`."""
    return f"{calls_per_minute:,.0f}" if calls_per_minute >= 10 else f"{calls_per_minute:.2g}"


def _end(known: Knowledge, minutes: float, at: datetime) -> datetime | None:
    wait = timedelta(minutes=min(minutes, 1e6))
    if wait >= FARTHEST or (known.open_calls and known.open_calls == known.parked_calls):
        return None
    closes_at = known.schedule.closes_at(at) if known.schedule else None
    return None if closes_at is not None and at + wait > closes_at else at + wait


def _left(known: Knowledge) -> int:
    """Return how many calls are still to finish; a recount may show more open ones than missing."""
    measured = progress(known)
    if measured.total is None or measured.finished is None or measured.open is None:
        return 0
    return max(measured.total - measured.finished, measured.open)


def _recent(course: Course, earliest: int) -> Course:
    """Drop the points before the one that stood at `earliest`."""
    stood = sum(at <= earliest for at, _ in course)
    return course[max(0, stood - 1) :]


def _halts(course: Course, *, since: int, now: int) -> bool:
    """Return whether no call has finished for several times as long as it usually takes."""
    steps = [at for _, (at, _) in pairwise(course) if at >= since]
    return now - steps[-1] > STEPS_TO_HALT * (steps[-1] - since) / len(steps)


def _start(course: Course, earliest: int) -> tuple[int, int]:
    """Return where the window begins: at the first point, or within what stood at `earliest`."""
    at, finished = _recent(course, earliest)[0]
    return max(at, earliest), finished


def _milliseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MILLISECOND
