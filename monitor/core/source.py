"""A source: one account at a provider, and whether its failed polls are the account's matter."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from monitor.core.failure import FailureKind, Matter, matter_of

FORBIDDEN_POLLS = 3
FAILING_POLLS = 5
PUT_OFF_POLLS = 3
"""So many 5xx in a row with a `Retry-After` are the account's matter."""
FAILING_AFTER = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A configured account; `row` and `key` are the database's."""

    row: int
    name: str
    provider: str
    key: str
    labels: Mapping[str, str] = field(default_factory=dict)


class StreakKind(StrEnum):
    """What the account's latest polls in a row failed by."""

    PASSING = "passing"  # 429, 5xx, time-out, connection, unusable body
    FORBIDDEN = "forbidden"  # 403


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What the account's latest polls say of it."""

    sequence: int = 0
    failing_since: datetime | None = None
    kind: FailureKind | None = None
    status_code: int | None = None
    recovered_at: datetime | None = None
    """When it last ceased to fail: polls that failed before say nothing of their batches."""
    streak_kind: StreakKind | None = None
    streak_number: int = 0
    streak_polls: int = 0
    streak_since: datetime | None = None
    streak_batches: tuple[int, ...] = ()
    """Up to 3 of the batches whose polls make the streak."""
    suspected: bool = False
    """The streak is long enough, but all of one batch: a poll of another one decides."""
    failed_streak: int = 0
    """Number of the streak of 403s that last made the account failing: those concern no batch."""
    put_off: int = 0
    """Polls in a row that were answered by a 5xx with a `Retry-After`."""

    @property
    def clean(self) -> bool:
        """Return whether nothing speaks against the account: a success then changes nothing."""
        return self.failing_since is None and self.streak_kind is None and not self.put_off


class HealthChange(StrEnum):
    """How a poll changed the account's standing."""

    FAILING = "failing"
    RECOVERED = "recovered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """What one poll of the account says about it; no failure means a reading came."""

    batch_row: int
    kind: FailureKind | None = None
    status_code: int | None = None
    under_way: bool = False
    """It was begun before the account failed, as far as it does: its answer ends nothing."""
    unreachable: bool = False
    """The batch was unreachable before: its passing failures say nothing about the account."""
    put_off: bool = False
    """It was answered by a 5xx that says for how long to leave it alone."""


def is_answer(kind: FailureKind | None) -> bool:
    """Return whether a poll proves that the account works: a reading, or a word on one batch."""
    return kind is None or matter_of(kind) is Matter.BATCH


def is_ours(kind: FailureKind | None) -> bool:
    """Return whether a poll failed for want of something of our own: it speaks of nobody else."""
    return kind is not None and matter_of(kind) is Matter.OURS


def judge(
    health: Health, poll: Poll, *, watched: int, at: datetime
) -> tuple[Health, HealthChange | None]:
    """Move an account's health by one poll; `watched` is how many of its batches are polled."""
    if is_ours(poll.kind):
        return health, None
    put_off = health.put_off + 1 if poll.put_off else 0
    if put_off != health.put_off:
        health = replace(health, put_off=put_off)
    return _judge(health, poll, watched=watched, at=at)


def _judge(
    health: Health, poll: Poll, *, watched: int, at: datetime
) -> tuple[Health, HealthChange | None]:
    """Judge a poll by what it failed by.

    Failing: a 401, a 403 on 3 polls in a row (on every batch, if there are fewer), or 2 minutes
    and 5 polls with nothing but passing failures. Any answer ends it. A streak of one batch alone
    only raises a suspicion while others are watched: it may as well be the batch.
    """
    if poll.kind is None or is_answer(poll.kind):
        return (health, None) if _is_late(health, poll) else _answered(health, at)
    matter = matter_of(poll.kind)
    if matter is Matter.KEY:
        return _fail(_broken(health), poll, since=at)
    kind = StreakKind.FORBIDDEN if matter is Matter.EITHER else StreakKind.PASSING
    if kind is StreakKind.PASSING and _is_known_trouble(health, poll, watched=watched):
        return (_broken(health) if health.suspected else health), None
    health = _extended(health, kind, poll, at)
    if not _is_long(health, watched=watched, at=at):
        return health, None
    if len(health.streak_batches) < min(2, watched):
        return replace(health, suspected=True), None
    since = health.streak_since or at
    if kind is StreakKind.FORBIDDEN:
        health = replace(health, failed_streak=health.streak_number)
    return _fail(health, poll, since=since)


def _is_late(health: Health, poll: Poll) -> bool:
    """Return whether a failing account answers a poll of before: only its probe proves anything."""
    return health.failing_since is not None and poll.under_way


def _answered(health: Health, at: datetime) -> tuple[Health, HealthChange | None]:
    if health.clean:
        return health, None
    if health.failing_since is None:
        return _broken(health), None
    return recovered(health, at), HealthChange.RECOVERED


def recovered(health: Health, at: datetime) -> Health:
    """Return an account's health once it fails no longer."""
    return replace(
        _broken(health), failing_since=None, kind=None, status_code=None, recovered_at=at
    )


def _is_known_trouble(health: Health, poll: Poll, *, watched: int) -> bool:
    """Return whether a passing failure is an unreachable batch's own, there being others to ask."""
    return poll.unreachable and health.failing_since is None and watched > 1


def _broken(health: Health) -> Health:
    return replace(
        health,
        streak_kind=None,
        streak_polls=0,
        streak_since=None,
        streak_batches=(),
        suspected=False,
    )


def _extended(health: Health, kind: StreakKind, poll: Poll, at: datetime) -> Health:
    if health.streak_kind is not kind:
        number = health.streak_number + 1
        health = replace(_broken(health), streak_kind=kind, streak_number=number, streak_since=at)
    batches = health.streak_batches
    if poll.batch_row not in batches:
        batches = (*batches, poll.batch_row)[:FORBIDDEN_POLLS]
    return replace(health, streak_polls=health.streak_polls + 1, streak_batches=batches)


def _is_long(health: Health, *, watched: int, at: datetime) -> bool:
    if health.streak_kind is StreakKind.FORBIDDEN:
        return health.streak_polls >= FORBIDDEN_POLLS or len(health.streak_batches) >= watched
    since = health.streak_since or at
    return health.streak_polls >= FAILING_POLLS and at - since >= FAILING_AFTER


def _fail(health: Health, poll: Poll, *, since: datetime) -> tuple[Health, HealthChange | None]:
    change = None if health.failing_since else HealthChange.FAILING
    return replace(
        health,
        failing_since=health.failing_since or since,
        kind=poll.kind,
        status_code=poll.status_code,
        suspected=False,
    ), change
