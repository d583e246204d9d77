"""A source: one account at a provider, and whether its failed polls are the account's matter."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from monitor.core.errors import FailureKind

FORBIDDEN_POLLS = 3
FAILING_POLLS = 5
FAILING_AFTER = timedelta(minutes=2)

_KEY_REFUSED = frozenset({FailureKind.UNAUTHORIZED, FailureKind.KEY_MISSING})
_ANSWERS = frozenset(
    {FailureKind.NOT_FOUND, FailureKind.REFUSED, FailureKind.UNEXPECTED_STATUS},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Identify a configured account; `row` and `key` are the database's."""

    row: int
    name: str
    provider: str
    key: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Hold what the account's latest polls say of it."""

    sequence: int = 0
    failing_since: datetime | None = None
    kind: FailureKind | None = None
    status_code: int | None = None
    row_polls: int = 0
    """Polls in a row that failed by 429, 5xx, time-out, connection or unusable body."""
    row_since: datetime | None = None
    forbidden_polls: int = 0
    """Polls in a row that got a 403."""
    forbidden_since: datetime | None = None
    forbidden_batches: tuple[int, ...] = ()
    forbidden_row: int = 0
    """Number of the current, or else the last, row of 403s."""
    failed_row: int = 0
    """Number of the row of 403s that last made the account failing: those concern no batch."""

    @property
    def clean(self) -> bool:
        """Tell whether nothing speaks against the account: a success then changes nothing."""
        return not (self.failing_since or self.row_polls or self.forbidden_polls)


class Turn(StrEnum):
    """Say how a poll changed the account's standing."""

    FAILING = "failing"
    RECOVERED = "recovered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """Hold what one poll of the account says about it; no failure means a reading came."""

    batch_row: int
    kind: FailureKind | None = None
    status_code: int | None = None
    unreachable: bool = False
    """The batch was unreachable before: its passing failures say nothing about the account."""


def is_answer(kind: FailureKind | None) -> bool:
    """Tell whether a poll proves that the account works: a reading, or a word on one batch."""
    return kind is None or kind in _ANSWERS


def judge(health: Health, poll: Poll, *, watched: int, at: datetime) -> tuple[Health, Turn | None]:
    """Move an account's health by one poll; `watched` is how many of its batches are polled.

    Failing: a 401, a 403 on 3 polls in a row (on every batch, if there are fewer), or 2 minutes
    and 5 polls with nothing but passing failures. Any answer ends it.
    """
    if is_answer(poll.kind):
        return _answered(health)
    if poll.kind in _KEY_REFUSED:
        return _fail(_broken(health), poll, since=at)
    if poll.kind is FailureKind.FORBIDDEN:
        return _forbidden(health, poll, watched=watched, at=at)
    return _passing(health, poll, at=at)


def _answered(health: Health) -> tuple[Health, Turn | None]:
    if health.clean:
        return health, None
    turn = Turn.RECOVERED if health.failing_since else None
    return replace(_broken(health), failing_since=None, kind=None, status_code=None), turn


def _broken(health: Health) -> Health:
    return replace(
        health,
        row_polls=0,
        row_since=None,
        forbidden_polls=0,
        forbidden_since=None,
        forbidden_batches=(),
    )


def _forbidden(
    health: Health, poll: Poll, *, watched: int, at: datetime
) -> tuple[Health, Turn | None]:
    first = health.forbidden_polls == 0
    batches = set(health.forbidden_batches) | {poll.batch_row}
    health = replace(
        health,
        row_polls=0,
        row_since=None,
        forbidden_polls=health.forbidden_polls + 1,
        forbidden_since=at if first else health.forbidden_since,
        forbidden_batches=tuple(sorted(batches))[:FORBIDDEN_POLLS],
        forbidden_row=health.forbidden_row + first,
    )
    if health.forbidden_polls >= FORBIDDEN_POLLS or len(batches) >= watched:
        since = health.forbidden_since or at
        return _fail(replace(health, failed_row=health.forbidden_row), poll, since=since)
    return health, None


def _passing(health: Health, poll: Poll, *, at: datetime) -> tuple[Health, Turn | None]:
    if poll.unreachable and health.failing_since is None:
        return health, None
    since = health.row_since or at
    health = replace(_broken(health), row_polls=health.row_polls + 1, row_since=since)
    if health.row_polls >= FAILING_POLLS and at - since >= FAILING_AFTER:
        return _fail(health, poll, since=since)
    return health, None


def _fail(health: Health, poll: Poll, *, since: datetime) -> tuple[Health, Turn | None]:
    turn = None if health.failing_since else Turn.FAILING
    return replace(
        health,
        failing_since=health.failing_since or since,
        kind=poll.kind,
        status_code=poll.status_code,
    ), turn
