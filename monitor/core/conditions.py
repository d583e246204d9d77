"""Conditions with time in them: a batch that stands still, a start that does not come."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.core.batch import Known, Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Hold how long a batch may stand still, and how late it may start."""

    stall_after: timedelta
    overdue_after: timedelta


def stalls_at(known: Known, limits: Limits, *, at: datetime) -> datetime | None:
    """Return when it has stood still for too long if nothing moves; none: no such time is near.

    It counts from the last movement, or from the opening of its hours if that came later. Outside
    of its hours there is no such time.
    """
    if known.stalled_at is not None or not _may_stall(known):
        return None
    still_since = known.changed_at
    if known.schedule is not None:
        opened_at = known.schedule.opened_at(at)
        if opened_at is None:
            return None
        still_since = max(still_since, opened_at)
    return still_since + limits.stall_after


def overdue_at(known: Known, limits: Limits) -> datetime | None:
    """Return when its scheduled start is overdue if it does not come; none: there is no such time.

    A batch that ran since that start is only dialled again.
    """
    start = known.scheduled_at
    if start is None or known.told_overdue or known.begun or known.settled_at:
        return None
    if known.begun_until is not None and known.begun_until >= start:
        return None
    return start + limits.overdue_after


def _may_stall(known: Known) -> bool:
    """Tell whether calls should move: some are open and not parked, or it runs before the first.

    While the counts say that all calls are final, a status that still runs only lags. A start
    that is scheduled and does not come is overdue, not stalled. Calls that nobody can count move
    unseen, but those that are open after the end, and not counted any more, keep it from settling.
    """
    if known.phase is Phase.PAUSED or known.settled_at is not None:
        return False
    if not known.counted and known.phase is not Phase.ENDED:
        return False
    if known.scheduled_at is not None and not known.begun:
        return False
    if known.open_calls:
        return known.open_calls > known.parked_calls
    return known.phase is Phase.RUNNING and not any((known.counts or {}).values())
