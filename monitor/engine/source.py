"""A source at work: its provider, its pace and budget, and how it fares."""

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from prometheus_client import Counter

from monitor.core.batch import Watch
from monitor.core.pacing import Pace, next_poll_at
from monitor.core.source import Health, Source
from monitor.engine.claimed import ClaimedAhead
from monitor.engine.metrics import Metrics
from monitor.engine.ports import Provider
from monitor.engine.usage import MINUTE, Usage
from monitor.storage.batches.claim import Claim
from monitor.storage.sources import SourceRow


@dataclass(slots=True, kw_only=True, eq=False)
class SourceAtWork:
    """One source while the daemon runs; health and version are as last committed."""

    about: Source
    provider: Provider
    pace: Pace
    rate: float
    """Polls per second."""
    connection_settings: object = None
    """All that decides how batches are read; None if a file has a part in it: it may change."""
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

    def reconfigure(self, new: "SourceAtWork", *, now: datetime) -> None:
        """Take over what the config says now.

        The provider stays, with its warm connections, if batches are read as before.
        """
        before, self.connection_settings = self.connection_settings, new.connection_settings
        if before is None or before != new.connection_settings:
            self.provider = new.provider
        self.about, self.pace, self.rate = new.about, new.pace, new.rate

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
