"""A receiver at work: how much it takes now, and its hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.core.delivery import Hold, Verdict, VerdictKind, hold
from monitor.engine.ports import Sink


@dataclass(slots=True, kw_only=True)
class Receiver:
    """Hold one receiver while the daemon runs."""

    name: str
    kind: str
    sink: Sink
    schedule: Sequence[timedelta]
    slots: int
    spacing: timedelta
    """Least time between two sends."""
    timeout: timedelta
    hold: Hold | None = None
    held_at: datetime | None = None
    """When the hold last began or was lengthened: attempts begun before say nothing new."""
    in_flight: int = 0
    promised: int = 0
    """Room kept for deliveries that may be born claimed in the commit under way."""
    claiming: int = 0
    """Room kept for the claim under way."""
    next_send_at: datetime | None = None

    def become(self, other: "Receiver") -> Sink:
        """Take over what the config says of another; return the sink that was at work."""
        before = self.sink
        self.kind, self.sink, self.schedule = other.kind, other.sink, other.schedule
        self.slots, self.spacing, self.timeout = other.slots, other.spacing, other.timeout
        return before

    @property
    def lease(self) -> timedelta:
        """Return how long a claimed delivery is ours: longer than any attempt."""
        return 2 * self.timeout + timedelta(seconds=10)

    def room(self, now: datetime) -> int:
        """Return how many deliveries may be sent now; a held receiver takes one probe at a time."""
        if self.next_send_at is not None and now < self.next_send_at:
            return 0
        taken = self.in_flight + self.promised + self.claiming
        if self.hold is None:
            return self.slots - taken
        return 1 if now >= self.hold.until and taken == 0 else 0

    def begin(self, now: datetime) -> None:
        """Count an attempt that begins now."""
        self.in_flight += 1
        self.next_send_at = now + self.spacing if self.spacing else None

    def end(self, verdict: Verdict, *, started_at: datetime, now: datetime) -> bool:
        """Count an attempt that ended; return whether the hold began, lengthened or was lifted.

        The first success lifts it. Of several attempts that fail together only the first counts.
        """
        self.in_flight -= 1
        if verdict.kind is VerdictKind.DELIVERED and self.hold is not None:
            self.hold = self.held_at = None
            return True
        if verdict.kind is VerdictKind.HOLD and not self._is_stale(started_at):
            self.hold, self.held_at = hold(self.hold, verdict, at=now), now
            return True
        return False

    def _is_stale(self, started_at: datetime) -> bool:
        return self.held_at is not None and started_at <= self.held_at
