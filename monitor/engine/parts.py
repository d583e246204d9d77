"""Parts: what a config asks of the engine, as built; the next config brings others."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from monitor.core.routing import Route
from monitor.engine.receiver import ReceiverAtWork
from monitor.engine.source import SourceAtWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """All that a reload may change; nothing of it runs by itself."""

    sources: Sequence[SourceAtWork]
    receivers: Sequence[ReceiverAtWork]
    routes: Sequence[Route]
    concurrency: int
    """Polls under way at most."""
    deadline: timedelta
    """Of one poll."""
    retention: timedelta
    """For how long events are kept that nobody waits for."""
