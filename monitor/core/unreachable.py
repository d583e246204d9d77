"""Failed polls of one batch: when they make it unreachable."""

from dataclasses import replace
from datetime import datetime, timedelta

from monitor.core.batch import Failures, Watch
from monitor.core.errors import PollError
from monitor.core.event import EventType, compose
from monitor.core.failure import REFUSALS, FailureKind
from monitor.core.observe import Observation
from monitor.core.payload import batch_data, batch_subject, failure_data
from monitor.core.source import Health, Source, is_ours

UNREACHABLE_POLLS = 5
UNREACHABLE_AFTER = timedelta(minutes=2)


def observe_failure(
    watch: Watch,
    failure: PollError,
    *,
    source: Source,
    health: Health,
    answered_at: datetime | None,
    at: datetime,
) -> Observation:
    """Count a failed poll against its batch, unless it is the account's matter.

    `health` is the account's after this poll, `answered_at` when it last answered any poll.
    Unreachable: 5 refusals in a row, or 2 minutes and 5 polls without a reading while the
    account answers others.
    """
    if is_ours(failure.kind):
        return Observation(watch=replace(watch, last_poll_at=at))
    failures = _count(watch, failure, health=health, at=at)
    lost = (
        failures.unreachable_since is None
        and health.failing_since is None
        and _lost(failures, answered_at=answered_at, at=at)
    )
    if not lost:
        return Observation(watch=replace(watch, failures=failures, last_poll_at=at))
    after = replace(
        watch,
        failures=replace(failures, unreachable_since=at),
        last_poll_at=at,
        sequence=watch.sequence + 1,
    )
    event = compose(
        EventType.UNREACHABLE,
        batch_subject(watch.batch),
        sequence=after.sequence,
        at=at,
        data={
            **batch_data(source, watch, after),
            **failure_data(failure.kind, failure.status_code, failures.since),
        },
    )
    return Observation(watch=after, events=(event,))


def _count(watch: Watch, failure: PollError, *, health: Health, at: datetime) -> Failures:
    """Count a failed poll against its batch; while the account fails, only note its kind.

    What turns out to have been the account's matter is taken back: the 403s of the streak that made
    it fail, which bear the streak's number, and all polls from before it last recovered.
    """
    last = watch.failures
    named = replace(last, kind=failure.kind, status_code=failure.status_code, reason=failure.reason)
    if health.failing_since is not None:
        return named
    refused = failure.kind in REFUSALS
    forbidden = failure.kind is FailureKind.FORBIDDEN
    polls, refusals, tagged = last.polls, last.refusals, last.forbidden_refusals
    if last.forbidden_streak and last.forbidden_streak == health.failed_streak:
        polls, refusals, tagged = polls - tagged, refusals - tagged, 0
    counted_since = last.counted_since or at
    if _precedes(watch.last_poll_at, health.recovered_at):
        polls, counted_since = 0, at
    same_streak = last.forbidden_streak == health.streak_number
    return replace(
        named,
        since=last.since or at,
        polls=polls + 1,
        counted_since=counted_since,
        refusals=refusals + 1 if refused else 0,
        forbidden_streak=health.streak_number if forbidden else 0,
        forbidden_refusals=(tagged if same_streak else 0) + 1 if forbidden else 0,
    )


def _precedes(polled_at: datetime | None, recovered_at: datetime | None) -> bool:
    """Return whether the batch's last poll was before the account last recovered."""
    return polled_at is not None and recovered_at is not None and polled_at < recovered_at


def _lost(failures: Failures, *, answered_at: datetime | None, at: datetime) -> bool:
    if failures.refusals >= UNREACHABLE_POLLS:
        return True
    since = failures.counted_since or at
    return (
        failures.polls >= UNREACHABLE_POLLS
        and at - since >= UNREACHABLE_AFTER
        and answered_at is not None
        and answered_at >= since
    )
