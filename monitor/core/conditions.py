"""Conditions with time in them: what stands still, a start that does not come, a silent end."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.core.batch import Knowledge, Phase
from monitor.core.schedule import Schedule

PLANNED_WAIT = timedelta(days=7)
"""After an end, calls that wait by plan are waited for so long: a retry may take days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a batch may stand still, before its end and after it, and be late to start."""

    stall_after: timedelta | None
    """None: standing still is not reported."""
    overdue_after: timedelta | None
    """None: neither is a start that does not come."""
    settle_after: timedelta
    hours: Schedule | None = None
    """When calls should move, of batches whose provider shows no schedule; None: at any time."""


def stalls_at(known: Knowledge, limits: Limits, *, at: datetime) -> datetime | None:
    """Return when it has stood still for too long if nothing moves; None: no such time is near.

    It counts from the last movement, or from the opening of its hours if that came later. Outside
    of its hours there is no such time.
    """
    if limits.stall_after is None or known.stalled_at is not None or not _may_stall(known):
        return None
    still_since = known.changed_at
    if known.schedule is not None:
        opened_at = known.schedule.opened_at(at)
        if opened_at is None:
            return None
        still_since = max(still_since, opened_at)
    return still_since + limits.stall_after


def overdue_at(known: Knowledge, limits: Limits) -> datetime | None:
    """Return when its scheduled start is overdue if it does not come; None: there is no such time.

    A batch that ran since that start is only dialled again.
    """
    start = known.scheduled_at
    if limits.overdue_after is None:
        return None
    if start is None or known.told_overdue or known.begun or known.settled_at:
        return None
    if known.begun_until is not None and known.begun_until >= start:
        return None
    return start + limits.overdue_after


def settles_at(known: Knowledge, limits: Limits) -> datetime | None:
    """Return when its end is believed though calls stay open, if none of them moves until then."""
    if known.phase is not Phase.ENDED or known.settled_at is not None or not known.open_calls:
        return None
    parked = known.open_calls == known.parked_calls
    wait = max(PLANNED_WAIT, limits.settle_after) if parked else limits.settle_after
    return known.changed_at + wait


def _may_stall(known: Knowledge) -> bool:
    """Return whether calls should move: some are open and not parked, or it runs before the first.

    While the counts say that all calls are final, a status that still runs only lags. A start
    that is scheduled and does not come is overdue, not stalled. Calls that nobody can count move
    unseen. After a final status nothing stalls: silence settles it.
    """
    if known.phase in {Phase.PAUSED, Phase.ENDED} or not known.counted:
        return False
    if known.scheduled_at is not None and not known.begun:
        return False
    if known.open_calls:
        return known.open_calls > known.parked_calls
    return known.phase is Phase.RUNNING and not any((known.counts or {}).values())
