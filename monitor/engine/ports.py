"""What the engine asks of providers and sinks."""

from datetime import datetime
from typing import Protocol

from monitor.core.batch import Reading
from monitor.core.delivery import Delivery, Verdict


class Provider(Protocol):
    """Read batches of one account; sends nothing but GET."""

    async def read(self, batch_id: str) -> Reading:
        """Return one reading of one batch, or raise PollError."""
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
