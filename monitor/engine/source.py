"""A source at work: its provider, its pace and budget, and how it fares."""

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from prometheus_client import Counter

from monitor.core.batch import Watch
from monitor.core.delivery import RATE_LIMIT_HOLD, time_asked
from monitor.core.errors import FailureKind, PollError
from monitor.core.pacing import Pace, next_poll_at
from monitor.core.source import PUT_OFF_POLLS, Health, Source, Turn
from monitor.engine.claimed import ClaimedAhead
from monitor.engine.metrics import Metrics
from monitor.engine.ports import Provider
from monitor.engine.usage import MINUTE, Usage
from monitor.storage.batches.claim import Claim
from monitor.storage.sources import SourceRow

PROBE_AFTER = timedelta(minutes=1)
"""How often a failing source is tried."""


@dataclass(slots=True, kw_only=True, eq=False)
class SourceAtWork:
    """Hold one source while the daemon runs; health and version are as last committed."""

    about: Source
    provider: Provider
    pace: Pace
    rate: float
    """Polls per second."""
    health: Health = field(default_factory=Health)
    version: int = 0
    blocked_until: datetime | None = None
    answered_at: datetime | None = None
    in_flight: int = 0
    cap: int = 1
    """How many of its polls may be under way."""
    ahead: ClaimedAhead[Claim] = field(default_factory=lambda: ClaimedAhead(least=1))
    """With none it would never get a slot while others have polls under way."""
    usage: Usage = field(default_factory=Usage)
    counters: dict[str, Counter] = field(default_factory=dict)
    """Of polls, by result: looking one up for every poll would cost as much as counting."""
    backlog: bool = False
    """The last claim brought all that it asked for: more is likely due."""
    pressed: bool = False
    """The last claim brought all that slots or budget allowed: batches that run go first."""

    @property
    def name(self) -> str:
        """Return its name in the config."""
        return self.about.name

    @property
    def row(self) -> int:
        """Return its id in the database."""
        return self.about.row

    def become(self, other: "SourceAtWork") -> Provider:
        """Take over what the config says of another; return the provider that was at work."""
        before = self.provider
        self.about, self.provider = other.about, other.provider
        self.pace, self.rate = other.pace, other.rate
        return before

    def adopt(self, row: SourceRow) -> None:
        """Take over what the database says, which another daemon may have moved."""
        if row.version >= self.version:
            self.health, self.version = row.health, row.version
            self.blocked_until = row.blocked_until

    def budget_used(self, at: datetime) -> float:
        """Return the share of the rate limit that was used in the last minute."""
        return self.usage.polls(at) / (self.rate * MINUTE.total_seconds())

    def take_extra(self) -> int:
        """Return the requests that nobody drew from the budget yet: the caller does."""
        extra, self.provider.extra_requests = self.provider.extra_requests, 0
        return extra

    def paused_for(self, at: datetime) -> timedelta:
        """Return how long it is until the account may be asked again."""
        return max(timedelta(), (self.blocked_until or at) - at)

    def count(self, metrics: Metrics, result: str) -> None:
        """Count a poll."""
        if result not in self.counters:
            self.counters[result] = metrics.polls.labels(self.about.name, result)
        self.counters[result].inc()

    def next_poll_at(self, watch: Watch, at: datetime) -> datetime | None:
        """Return when a batch is due again, spread by jitter; none when it is forgotten."""
        jitter = random.uniform(-1, 1)  # noqa: S311 (spreads load, guards nothing)
        return next_poll_at(watch, self.pace, at=at, jitter=jitter)


def blocked_until(
    current: datetime | None,
    *,
    health: Health,
    turn: Turn | None,
    failure: PollError | None,
    probe: bool,
    at: datetime,
) -> datetime | None:
    """Decide until when the whole account pauses after a poll; none: not at all.

    Failing accounts are tried once a minute; a 429 pauses for its `Retry-After`, else for a minute,
    and so do 5xx with one, three in a row. A suspected one pauses until one probe of another batch
    has told. Only the probe, or a recovery, ends a pause: polls that were under way before it do
    not.
    """
    limited = failure is not None and failure.kind is FailureKind.RATE_LIMITED
    asked = time_asked(failure.retry_after) if failure else None
    asked = asked or (RATE_LIMIT_HOLD if limited else timedelta())
    if health.failing_since is not None:
        due = at + max(PROBE_AFTER, asked)
        return due if probe or turn is Turn.FAILING or current is None else current
    if limited or health.put_off >= PUT_OFF_POLLS:
        return at + asked if probe or current is None else max(at + asked, current)
    if health.suspected and not probe:
        return current or at
    return None if probe or turn is Turn.RECOVERED else current
