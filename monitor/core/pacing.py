"""When a batch is polled next."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.core.batch import Knowledge, Phase, SettledBy, Watch
from monitor.core.conditions import Limits, overdue_at, settles_at, stalls_at
from monitor.core.forecast import forecast

FRESH = timedelta(hours=1)
"""For so long a wait is fresh: pending, or ended with calls still open; later it is idle."""
STARTING = timedelta(minutes=10)
"""Bolna rounds a start up to the next 10 minutes."""
QUIET_AFTER = timedelta(days=7)
SHORTER = 0.5
"""Of the interval, while a batch is about to start or to end."""
JITTER = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The three intervals of a source's batches, what is too long, and when to forget."""

    interval: timedelta
    idle_interval: timedelta
    settled_interval: timedelta
    forget_after: timedelta
    limits: Limits

    def is_shorter_than(self, other: "Pace") -> bool:
        """Return whether any batch may be due sooner by this than by the other."""
        return (
            self.interval < other.interval
            or self.idle_interval < other.idle_interval
            or self.settled_interval < other.settled_interval
            or self.limits.settle_after < other.limits.settle_after
            or _is_sooner(self.limits.stall_after, other.limits.stall_after)
            or _is_sooner(self.limits.overdue_after, other.limits.overdue_after)
            or other.limits.hours not in (None, self.limits.hours)  # it may be open now
        )


def _is_sooner(one: timedelta | None, other: timedelta | None) -> bool:
    return one is not None and (other is None or one < other)


def next_poll_at(watch: Watch, pace: Pace, *, at: datetime, jitter: float) -> datetime | None:
    """Return when to poll next, or none when the batch is forgotten.

    `jitter` (-1..1) spreads the wait by up to 10 %, never below 0.9 of it: two readings that
    confirm an end are at least that far apart. A moment at which something is known to happen is
    not missed: a start, the opening of its hours, a condition that comes true if nothing moves.
    """
    due_at = at + _interval(watch, pace, at) * (1 + JITTER * jitter)
    if watch.known is not None:
        due_at = min([due_at, *_moments(watch.known, pace, at)])
    quiet_since = _quiet_since(watch)
    if quiet_since is None:
        return due_at
    forgotten_at = quiet_since + pace.forget_after
    return None if at >= forgotten_at else min(due_at, forgotten_at)


def _interval(watch: Watch, pace: Pace, at: datetime) -> timedelta:
    known = watch.known
    unreachable_since = watch.failures.unreachable_since
    if unreachable_since is not None and at - unreachable_since >= QUIET_AFTER:
        return pace.settled_interval
    if known is None:
        return pace.interval
    if _is_quiet(known, at):
        return pace.settled_interval
    if known.settled_at is not None:
        silent = known.settled_by is SettledBy.SILENCE  # its calls may move after all
        return pace.idle_interval if silent else pace.settled_interval
    if _is_idle(known, pace, at):
        return pace.idle_interval
    return pace.interval * (SHORTER if _turns_soon(known, pace, at) else 1)


def _is_quiet(known: Knowledge, at: datetime) -> bool:
    """Return whether nothing moved for a week; a start reported overdue before is awaited."""
    start = known.scheduled_at
    if start is not None and not known.begun and start <= at < start + FRESH:
        return False
    return at - known.changed_at >= QUIET_AFTER


def _is_idle(known: Knowledge, pace: Pace, at: datetime) -> bool:
    match known.phase:
        case Phase.PAUSED:
            return True
        case Phase.RUNNING | Phase.PENDING if _is_closed(known, at):
            return True
        case Phase.RUNNING:
            return False
        case Phase.PENDING if not known.begun and known.scheduled_at is not None:
            early = at < known.scheduled_at - pace.idle_interval
            return early or at - max(known.scheduled_at, known.phase_since) >= FRESH
        case Phase.PENDING if not known.begun:
            return at - known.phase_since >= FRESH
        case _:
            return at - known.changed_at >= FRESH


def _is_closed(known: Knowledge, at: datetime) -> bool:
    """Return whether it is dialled, but not at this hour."""
    return known.begun and known.schedule is not None and known.schedule.opened_at(at) is None


def _turns_soon(known: Knowledge, pace: Pace, at: datetime) -> bool:
    """Return whether it is about to start, or to end at its pace."""
    start = known.scheduled_at
    if start is not None and not known.begun:
        return start <= at < start + STARTING
    if not known.course or known.open_calls > known.course[-1][1] - known.course[0][1]:
        return False  # it takes longer than all of the course: that is several polls
    found = forecast(known, at=at)
    return found is not None and found.ends_at is not None and found.ends_at - at < pace.interval


def _moments(known: Knowledge, pace: Pace, at: datetime) -> list[datetime]:
    """Return the moments to come at which something is known to happen."""
    moments = [
        stalls_at(known, pace.limits, at=at),
        settles_at(known, pace.limits),
        overdue_at(known, pace.limits),
        known.scheduled_at if known.phase is Phase.PENDING else None,
        _opens_at(known, at),
    ]
    return [moment for moment in moments if moment is not None and moment > at]


def _opens_at(known: Knowledge, at: datetime) -> datetime | None:
    """Return when its hours begin next; None: it has none, or is not dialled."""
    if known.schedule is None or known.phase not in {Phase.RUNNING, Phase.PENDING}:
        return None
    return known.schedule.opens_at(at) if known.begun else None


def _quiet_since(watch: Watch) -> datetime | None:
    """Return since when nothing more is expected: settled, or unreachable for a week.

    A batch that was woken since then gets the whole time again.
    """
    if watch.known is not None and watch.known.settled_at is not None:
        quiet_since = watch.known.settled_at
    elif watch.failures.unreachable_since is not None:
        quiet_since = watch.failures.unreachable_since + QUIET_AFTER
    else:
        return None
    return max(quiet_since, watch.batch.registered_at or quiet_since)
