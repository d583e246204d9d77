"""A receiver at work: how much it takes now, and its hold."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

import structlog
from prometheus_client import Counter

from monitor.core.delivery import Delivery, DeliveryState, Verdict, VerdictKind
from monitor.core.event import stamp
from monitor.core.pause import Hold, hold
from monitor.engine.claimed import ClaimedAhead
from monitor.engine.metrics import OK, Metrics
from monitor.engine.ports import Sink
from monitor.storage.deliveries.claim import EndedAttempt

UNSETTLED: Final = 16
"""Ended attempts that may wait for their commit, for each slot: they are settled in groups."""

log = structlog.stdlib.get_logger()


@dataclass(slots=True, kw_only=True, eq=False)
class ReceiverAtWork:
    """One receiver while the daemon runs."""

    name: str
    kind: str
    sink: Sink
    schedule: Sequence[timedelta]
    slots: int
    spacing: timedelta
    """Least time between two sends."""
    timeout: timedelta
    connection_settings: object = None
    """All that decides how it is asked; None if a file has a part in it: it may change."""
    hold: Hold | None = None
    held_at: datetime | None = None
    """When the hold last began or was lengthened: attempts begun before say nothing new."""
    in_flight: int = 0
    unsettled: int = 0
    """Attempts that ended and are not committed yet: what a kill now would send again."""
    ahead: ClaimedAhead[Delivery] = field(default_factory=lambda: ClaimedAhead(least=0))
    backlog: bool = True
    """More may be due than was claimed."""
    next_send_at: datetime | None = None
    counters: dict[tuple[str, str], tuple[Counter, Counter]] = field(default_factory=dict)
    """Of deliveries and attempts, by result and kind: looking them up costs more than counting."""

    def reconfigure(self, new: "ReceiverAtWork", *, now: datetime) -> None:
        """Take over what the config says now; the sink stays if it is asked as before.

        One that is asked otherwise is tried at once: whoever mended it wants to see that it works.
        """
        before, self.connection_settings = self.connection_settings, new.connection_settings
        if before is None or before != new.connection_settings:
            self.sink = new.sink
            if self.hold is not None:
                self.hold = replace(self.hold, until=now)
        self.kind, self.schedule, self.timeout = new.kind, new.schedule, new.timeout
        self.slots, self.spacing = new.slots, new.spacing

    @property
    def lease(self) -> timedelta:
        """Return how long a claimed delivery is ours: longer than any attempt."""
        return 2 * self.timeout + timedelta(seconds=10)

    @property
    def most_unsettled(self) -> int:
        """Return how many ended attempts may wait for their commit at most."""
        return UNSETTLED * self.slots

    @property
    def patience(self) -> timedelta:
        """Return how long a claimed delivery may wait: its lease must outlast an attempt."""
        return self.lease - self.timeout

    def room(self, now: datetime) -> int:
        """Return how many deliveries may be sent now; a held receiver takes one probe at a time."""
        if self.next_send_at is not None and now < self.next_send_at:
            return 0
        if self.hold is None:
            return min(self.slots - self.in_flight, self.most_unsettled - self.unsettled)
        return 1 if now >= self.hold.until and not self.in_flight else 0

    def wanted(self, now: datetime) -> int:
        """Return how many deliveries are to be claimed: for free slots, and ahead."""
        if self.hold is not None or self.spacing:
            return min(1, self.room(now)) - len(self.ahead)
        return self.room(now) + max(self.slots, self.ahead.size) - len(self.ahead)

    def draw(self, now: datetime) -> Delivery | None:
        """Return the next claimed delivery, if there is one and it may be sent now."""
        if not self.ahead or self.room(now) < 1:
            return None
        return self.ahead.draw()

    def begin(self, now: datetime) -> None:
        """Count an attempt that begins now."""
        self.in_flight += 1
        self.next_send_at = now + self.spacing if self.spacing else None

    def end(self, verdict: Verdict, *, started_at: datetime, now: datetime) -> bool:
        """Count an attempt that ended; return whether the hold began, lengthened or was lifted.

        The first success lifts it. Of several attempts that fail together only the first counts.
        """
        self.in_flight -= 1
        self.ahead.count_end()
        if verdict.kind is VerdictKind.DELIVERED and self.hold is not None:
            self.hold = self.held_at = None
            return True
        if verdict.kind is VerdictKind.HOLD and not self._is_stale(started_at, now):
            self.hold, self.held_at = hold(self.hold, verdict, at=now), now
            return True
        return False

    def tell_hold(self, verdict: Verdict, *, was_held: bool) -> None:
        """Log that the hold began, or that it was lifted."""
        if self.hold is None:
            log.info("receiver.released", receiver=self.name)
        elif not was_held:
            log.warning(
                "receiver.held",
                receiver=self.name,
                error=verdict.error,
                **({} if verdict.reason is None else {"reason": verdict.reason}),
                status_code=verdict.status_code,
                next_try=stamp(self.hold.until),
            )

    def count(self, metrics: Metrics, ended: EndedAttempt) -> None:
        """Count an attempt, and what it means for the delivery."""
        verdict, dead = ended.verdict, ended.settlement.state is DeliveryState.DEAD
        kind = OK if ended.arrived else verdict.error or str(verdict.status_code)
        result = (VerdictKind.DEAD if dead else verdict.kind).value
        if ended.arrived:
            latency = ended.started_at + ended.duration - ended.delivery.observed_at
            metrics.delivery_latency.observe(max(0.0, latency.total_seconds()))
        counters = self.counters.get((result, kind))
        if counters is None:
            deliveries = metrics.deliveries.labels(self.name, result)
            counters = deliveries, metrics.attempts.labels(self.name, kind)
            self.counters[result, kind] = counters
        for counter in counters:
            counter.inc()

    def _is_stale(self, started_at: datetime, now: datetime) -> bool:
        """Return whether a failure is no news; one that outlived its lease was our own pause."""
        if now - started_at >= self.lease:
            return True
        return self.held_at is not None and started_at <= self.held_at
