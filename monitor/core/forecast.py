"""A forecast: how fast a batch's calls finish, and when the last one will."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from monitor.core.batch import Phase, Progress

WINDOW = timedelta(minutes=15)
"""How far back the pace looks: long enough for steadiness, short enough to notice a change."""
FEWEST_POINTS = 3
"""Two steps at least: one says nothing of a pace."""
FARTHEST = timedelta(days=30)
"""An end farther off than this is nothing to tell anybody."""

PATIENCE = 4
"""Usual steps without a finished call after which it stands still: no end is in sight."""

_STILL = frozenset({Phase.PENDING, Phase.PAUSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Hold how many calls had finished at a time; none where nobody said."""

    at: datetime
    finished: int | None
    phase: Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Hold a pace, and the end that it leads to if it lasts."""

    calls_per_minute: float
    ends_at: datetime | None
    """None: farther off than anybody should be told."""


def forecast(points: Sequence[Point], measured: Progress, *, at: datetime) -> Forecast | None:
    """Measure the pace of the last 15 minutes before `at`, the time of the last reading.

    `points` are the snapshots' in their order: between two of them nothing moves. None when
    nothing honest can be said: no total, nothing left, too few points, no call finished lately,
    or none for much longer than usual: the end of a batch that stands still would only recede.
    """
    left = _left(measured)
    dialled = _latest_run(points)
    if not left or len(dialled) < FEWEST_POINTS:
        return None
    start, finished_before = _start(dialled, at - WINDOW)
    minutes = (at - start) / timedelta(minutes=1)
    finished = (dialled[-1].finished or 0) - finished_before
    if finished <= 0 or minutes <= 0 or _halts(dialled, since=start, at=at):
        return None
    pace = finished / minutes
    wait = min(timedelta(minutes=min(left / pace, 1e6)), FARTHEST)
    return Forecast(calls_per_minute=pace, ends_at=None if wait == FARTHEST else at + wait)


def _left(measured: Progress) -> int:
    """Return how many calls are still to finish; a recount may show more open ones than missing."""
    if measured.total is None or measured.finished is None or measured.open is None:
        return 0
    return max(measured.total - measured.finished, measured.open)


def _latest_run(points: Sequence[Point]) -> Sequence[Point]:
    """Return the points since it last began to dial, if it still does."""
    if not points or _stands(points[-1]):
        return ()
    breaks = (number for number, pair in enumerate(pairwise(points), start=1) if _breaks(*pair))
    return points[max(breaks, default=0) :]


def _stands(point: Point) -> bool:
    return point.finished is None or point.phase in _STILL


def _breaks(before: Point, point: Point) -> bool:
    """Tell whether what came before says nothing of the pace: a wait, a pause, a recount."""
    return _stands(before) or (point.finished or 0) < (before.finished or 0)


def _halts(run: Sequence[Point], *, since: datetime, at: datetime) -> bool:
    """Tell whether no call has finished for several times as long as it usually takes."""
    recent = (pair for pair in pairwise(run) if pair[1].at >= since)
    steps = [point.at for before, point in recent if point.finished != before.finished]
    return at - steps[-1] > PATIENCE * (steps[-1] - since) / len(steps)


def _start(run: Sequence[Point], earliest: datetime) -> tuple[datetime, int]:
    """Return where the window begins: at the run's first point, or within what stood `earliest`."""
    before = [point for point in run if point.at <= earliest]
    if before:
        return earliest, before[-1].finished or 0
    return run[0].at, run[0].finished or 0
