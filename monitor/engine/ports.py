"""What the engine asks of providers and sinks."""

from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from typing import Protocol

from monitor.core.batch import Knowledge, Reading
from monitor.core.delivery import Delivery, Verdict
from monitor.core.discovery import DiscoveryAnswer


class Finder(Protocol):
    """Find the batches of one account; sends nothing but GET."""

    every: timedelta
    """How often it is asked."""

    def find(self, *, now: datetime) -> AsyncGenerator[DiscoveryAnswer, None]:
        """Yield what each request brought; raise PollError when no more can be had."""
        ...


class Provider(Protocol):
    """Read batches of one account; sends nothing but GET."""

    extra_requests: int
    """How many requests it made beyond the one of each read; whoever draws them sets it to 0."""

    @property
    def finder(self) -> Finder | None:
        """Return who finds batches that nobody registered; None: that is not wanted here."""
        ...

    async def read(self, batch_id: str, known: Knowledge | None = None) -> Reading:
        """Return one reading of one batch, or raise PollError; `known` is what came before."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class Sink(Protocol):
    """Send deliveries to one receiver."""

    async def send(self, delivery: Delivery, *, sent_at: datetime) -> Verdict:
        """Make one attempt, within the receiver's time-out; failures are verdicts, never raised."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...
