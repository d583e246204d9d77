"""A pause: for how long a source is not asked, or a receiver is held, after a 429 or worse."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.core.delivery import Verdict
from monitor.core.errors import PollError
from monitor.core.failure import FailureKind
from monitor.core.source import PUT_OFF_POLLS, Health, HealthChange

PROBE_AFTER = timedelta(minutes=1)
"""How often a failing source is tried."""
FIRST_HOLD = timedelta(seconds=5)
LONGEST_HOLD = timedelta(minutes=5)
RATE_LIMIT_PAUSE = timedelta(seconds=60)
"""How long a 429 pauses that does not say."""
SHORTEST_RETRY_AFTER = timedelta(seconds=1)
LONGEST_RETRY_AFTER = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """The pause of a receiver that failed as a whole."""

    since: datetime
    until: datetime
    step: int


def blocked_until(
    current: datetime | None,
    *,
    health: Health,
    change: HealthChange | None,
    failure: PollError | None,
    probe: bool,
    at: datetime,
) -> datetime | None:
    """Decide until when the whole account pauses after a poll; None: not at all.

    Failing accounts are tried once a minute; a 429 pauses for its `Retry-After`, else for a minute,
    and so do 5xx with one, three in a row. A suspected one pauses until one probe of another batch
    has decided. Only the probe, or a recovery, ends a pause: polls that were under way before it do
    not.
    """
    limited = failure is not None and failure.kind is FailureKind.RATE_LIMITED
    asked = time_asked(failure.retry_after) if failure else None
    asked = asked or (RATE_LIMIT_PAUSE if limited else timedelta())
    if health.failing_since is not None:
        due = at + max(PROBE_AFTER, asked)
        return due if probe or change is HealthChange.FAILING or current is None else current
    if limited or health.put_off >= PUT_OFF_POLLS:
        return at + asked if probe or current is None else max(at + asked, current)
    if health.suspected and not probe:
        return current or at
    return None if probe or change is HealthChange.RECOVERED else current


def time_asked(retry_after: timedelta | None) -> timedelta | None:
    """Return how long a `Retry-After` asks to be left alone, 1 s to 1 h; none if it is of no use.

    Of none: 0, less, a moment that has passed. Whoever obeyed those would ask without a pause.
    """
    if retry_after is None or retry_after < SHORTEST_RETRY_AFTER:
        return None
    return min(retry_after, LONGEST_RETRY_AFTER)


def hold(current: Hold | None, verdict: Verdict, *, at: datetime) -> Hold:
    """Start or lengthen a hold: 5, 10, 20 s … 5 min, or a 5xx's `Retry-After` if that is longer.

    A 429 says itself how long, else it is a minute.
    """
    step = 0 if current is None else current.step + 1
    asked = time_asked(verdict.retry_after)
    if verdict.status_code == 429:
        wait = asked or RATE_LIMIT_PAUSE
    else:
        wait = max(min(FIRST_HOLD * 2 ** min(step, 10), LONGEST_HOLD), asked or timedelta())
    return Hold(since=at if current is None else current.since, until=at + wait, step=step)
