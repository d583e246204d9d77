"""When a batch is polled next."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.core.batch import Known, Phase, Watch

SOON_PENDING = timedelta(hours=1)
QUIET_AFTER = timedelta(days=7)
JITTER = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Hold the three intervals of a source's batches, and when a settled batch is forgotten."""

    interval: timedelta
    idle_interval: timedelta
    settled_interval: timedelta
    forget_after: timedelta

    def is_shorter_than(self, other: "Pace") -> bool:
        """Tell whether any batch may be due sooner by this than by the other."""
        return (
            self.interval < other.interval
            or self.idle_interval < other.idle_interval
            or self.settled_interval < other.settled_interval
        )


def next_poll_at(watch: Watch, pace: Pace, *, at: datetime, jitter: float) -> datetime | None:
    """Return when to poll next, or none when the batch is forgotten.

    `jitter` (-1..1) spreads the wait by up to 10 %, never below 0.9 of it: two readings that
    confirm an end are at least that far apart.
    """
    wait = _interval(watch, pace, at) * (1 + JITTER * jitter)
    quiet_since = _quiet_since(watch)
    if quiet_since is None:
        return at + wait
    forgotten_at = quiet_since + pace.forget_after
    return None if at >= forgotten_at else min(at + wait, forgotten_at)


def _interval(watch: Watch, pace: Pace, at: datetime) -> timedelta:
    known = watch.known
    unreachable_since = watch.failures.unreachable_since
    if unreachable_since is not None and at - unreachable_since >= QUIET_AFTER:
        return pace.settled_interval
    if known is None:
        return pace.interval
    if known.settled_at is not None or at - known.changed_at >= QUIET_AFTER:
        return pace.settled_interval
    return pace.idle_interval if _idle(known, at) else pace.interval


def _idle(known: Known, at: datetime) -> bool:
    if known.phase is Phase.PENDING:
        return at - known.phase_since >= SOON_PENDING
    return known.phase is Phase.PAUSED


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
