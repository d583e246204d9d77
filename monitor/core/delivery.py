"""A delivery: the debt of one event to one receiver, and what each attempt makes of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from monitor.core.event import SubjectKind

SCHEDULE = tuple(
    timedelta(seconds=s) for s in (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
)
"""Waits between the attempts at one delivery: 10 attempts, 75 h (Standard Webhooks 1.0)."""

JITTER = 0.2
"""Waits are spread by this part of them."""


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


class VerdictKind(StrEnum):
    """What one attempt means for what comes next."""

    DELIVERED = "delivered"
    RETRY = "retry"  # this delivery alone, on its schedule
    HOLD = "hold"  # the receiver as a whole is unwell
    DEAD = "dead"  # never again


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a sink makes of one attempt."""

    kind: VerdictKind
    status_code: int | None = None
    error: str | None = None
    """Our word for the failure, never foreign text."""
    reason: str | None = None
    """What OpenSSL says of a failed handshake."""
    retry_after: timedelta | None = None
    response: str | None = None
    """Up to 4 KiB of a failure's response, secrets redacted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A claimed delivery: what a sink needs to send it, and what settling it needs."""

    row: int
    epoch: int
    event_id: str
    event_type: str
    body: bytes
    receiver: str
    subject_kind: SubjectKind
    subject_row: int
    sequence: int
    attempts: int
    """Attempts so far that used up the schedule."""
    observed_at: datetime
    """When its event happened: the time of the reading that caused it."""
    enqueued_at: datetime
    """Since when it is owed; `redeliver` starts it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What becomes of a delivery after an attempt."""

    state: DeliveryState
    due_at: datetime | None
    attempts: int


def verdict_on(status_code: int, retry_after: timedelta | None = None) -> Verdict:
    """Judge an HTTP answer the same way for every sink.

    2xx delivers; 410 Gone ends it (Standard Webhooks 1.0); 429 and 5xx hold the receiver;
    all else, redirects included, concerns that delivery alone.
    """
    if 200 <= status_code < 300:
        kind = VerdictKind.DELIVERED
    elif status_code == 410:
        kind = VerdictKind.DEAD
    elif status_code == 429 or status_code >= 500:
        kind = VerdictKind.HOLD
    else:
        kind = VerdictKind.RETRY
    return Verdict(kind=kind, status_code=status_code, retry_after=retry_after)


def settle(
    delivery: Delivery,
    verdict: Verdict,
    *,
    schedule: Sequence[timedelta],
    at: datetime,
    jitter: float,
) -> Settlement:
    """Decide what follows an attempt; `jitter` (-1..1) spreads the wait by up to 20 %.

    An attempt that holds the receiver does not use up the schedule: the delivery stays due and
    waits for the hold. Whatever is older than the whole schedule is dead.
    """
    made = delivery.attempts + (verdict.kind is not VerdictKind.HOLD)
    match verdict.kind:
        case VerdictKind.DELIVERED:
            return Settlement(state=DeliveryState.DELIVERED, due_at=None, attempts=made)
        case VerdictKind.HOLD if not _is_over(delivery, schedule, at):
            return Settlement(state=DeliveryState.PENDING, due_at=at, attempts=made)
        case VerdictKind.RETRY if made <= len(schedule) and not _is_over(delivery, schedule, at):
            wait = schedule[made - 1] * (1 + JITTER * jitter)
            return Settlement(state=DeliveryState.PENDING, due_at=at + wait, attempts=made)
        case VerdictKind.HOLD | VerdictKind.RETRY | VerdictKind.DEAD:
            return Settlement(state=DeliveryState.DEAD, due_at=None, attempts=made)
        case never:
            assert_never(never)


def _is_over(delivery: Delivery, schedule: Sequence[timedelta], at: datetime) -> bool:
    """Return whether a delivery is older than its whole schedule, jitter included."""
    return at - delivery.enqueued_at > lifetime(schedule)


def lifetime(schedule: Sequence[timedelta]) -> timedelta:
    """Return how long a delivery is tried at most: its whole schedule, jitter included."""
    return sum(schedule, timedelta()) * (1 + JITTER)
