"""A forecast: how fast a batch's calls finish, and when the last one will."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from monitor.core.batch import Phase, Progress

WINDOW = timedelta(minutes=15)
"""How far back the pace looks: long enough for steadiness, short enough to notice a change."""
FEWEST_MARKS = 3
"""Two steps at least: one says nothing of a pace."""
FARTHEST = timedelta(days=30)
"""An end farther off than this is nothing to tell anybody."""

_STILL = frozenset({Phase.PENDING, Phase.PAUSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
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


def forecast(marks: Sequence[Mark], measured: Progress, *, at: datetime) -> Forecast | None:
    """Measure the pace of the last 15 minutes before `at`, the time of the last reading.

    `marks` are the snapshots' in their order: between two of them nothing moves. None when
    nothing honest can be said: no total, nothing left, no calls finished lately, too few marks.
    """
    left = _left(measured)
    dialled = _latest_run(marks)
    if not left or len(dialled) < FEWEST_MARKS:
        return None
    start, finished_before = _start(dialled, at - WINDOW)
    minutes = (at - start) / timedelta(minutes=1)
    finished = (dialled[-1].finished or 0) - finished_before
    if finished <= 0 or minutes <= 0:
        return None
    pace = finished / minutes
    wait = min(timedelta(minutes=min(left / pace, 1e6)), FARTHEST)
    return Forecast(calls_per_minute=pace, ends_at=None if wait == FARTHEST else at + wait)


def _left(measured: Progress) -> int:
    """Return how many calls are still to finish; a recount may show more open ones than missing."""
    if measured.total is None or measured.finished is None or measured.open is None:
        return 0
    return max(measured.total - measured.finished, measured.open)


def _latest_run(marks: Sequence[Mark]) -> Sequence[Mark]:
    """Return the marks since it last began to dial, if it still does."""
    if not marks or _stands(marks[-1]):
        return ()
    breaks = (number for number, pair in enumerate(pairwise(marks), start=1) if _breaks(*pair))
    return marks[max(breaks, default=0) :]


def _stands(mark: Mark) -> bool:
    return mark.finished is None or mark.phase in _STILL


def _breaks(before: Mark, mark: Mark) -> bool:
    """Tell whether what came before says nothing of the pace: a wait, a pause, a recount."""
    return _stands(before) or (mark.finished or 0) < (before.finished or 0)


def _start(run: Sequence[Mark], earliest: datetime) -> tuple[datetime, int]:
    """Return where the window begins: at the run's first mark, or within what stood `earliest`."""
    before = [mark for mark in run if mark.at <= earliest]
    if before:
        return earliest, before[-1].finished or 0
    return run[0].at, run[0].finished or 0
