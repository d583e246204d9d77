"""Parts: what a config asks of the engine, as built, and what all of the engine works with."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from monitor.core.routing import Route
from monitor.engine.clock import Clock
from monitor.engine.metrics import Metrics
from monitor.engine.receiver import ReceiverAtWork
from monitor.engine.source import SourceAtWork
from monitor.storage.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """All of the engine that a reload may change; nothing of it runs by itself."""

    sources: Sequence[SourceAtWork]
    receivers: Sequence[ReceiverAtWork]
    routes: Sequence[Route]
    concurrency: int
    """Polls under way at most."""
    deadline: timedelta
    """Of one poll."""
    retention: timedelta
    """For how long events are kept that nobody waits for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What all parts of the engine work with."""

    database: Database
    clock: Clock
    metrics: Metrics
    owner: str
    """The name under which this daemon claims."""
