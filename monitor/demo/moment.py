"""A moment of the show: all that the screen draws, as it is found."""

import json
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any, Final

from monitor.core.batch import Watch
from monitor.core.delivery import DeliveryState
from monitor.core.errors import StorageError
from monitor.demo.stage import Stage
from monitor.storage.delivery_queries import list_deliveries
from monitor.storage.queries import events_since, watched_batches

Summarise = Callable[[Mapping[str, Any]], str]
"""Say the heart of an event in a few words."""

RUNNING: Final = "all is running"
"""What goes on while the batches live."""
PACE_SECONDS: Final = 3.0
"""Polls per second are told over so long."""
OVERLAP: Final = timedelta(seconds=10)
"""A slow reading's events are stored after those of later ones."""
LINES_LIMIT: Final = 100
"""No terminal shows more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Hold one event beside its delivery."""

    at: datetime
    type: str
    name: str
    what: str
    state: DeliveryState
    latency: timedelta | None = None
    """From the reading until the consumer had verified it; none before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Count what happened."""

    polls: int = 0
    polls_per_second: float = 0.0
    events: int = 0
    delivered: int = 0
    verified: int = 0
    duplicates: int = 0
    bad_signatures: int = 0
    gaps: int = 0
    median_latency: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Hold what is seen at one time."""

    doing: str
    """What goes on, in a few words."""
    elapsed: float
    seconds: float
    watches: Sequence[Watch] = ()
    lines: Sequence[Line] = ()
    """The oldest first."""
    tally: Tally = Tally()


class Watcher:
    """Look at the daemon's database, the consumer and the simulated APIs."""

    def __init__(self, stage: Stage, summarise: Summarise) -> None:
        self._stage = stage
        self._summarise = summarise
        self._documents: dict[str, Mapping[str, Any]] = {}
        """The stored events, the oldest first."""
        self._newest: datetime | None = None
        self._states: dict[str, DeliveryState] = {}
        self._watches: list[Watch] = []
        self._polls: deque[tuple[float, int]] = deque()

    async def look(self, doing: str) -> Moment:
        """Return what is to be seen now; a database that is busy leaves it as it was."""
        stage = self._stage
        if stage.daemon.has_started():
            with suppress(StorageError):
                await self._read()
        return Moment(
            doing=doing,
            elapsed=stage.curtain.elapsed(),
            seconds=stage.seconds,
            watches=self._watches,
            lines=self._lines(),
            tally=self._tally(),
        )

    async def _read(self) -> None:
        database = self._stage.database
        self._watches = [batch.watch async for batch in watched_batches(database)][::-1]
        since = self._newest and self._newest - OVERLAP
        news = [event async for event in events_since(database, since)]
        for event in reversed(news):
            self._newest = max(event.at, self._newest or event.at)
            if event.id not in self._documents:
                self._documents[event.id] = json.loads(event.body)
        async for delivery in list_deliveries(database):
            self._states[delivery.event_id] = delivery.state

    def _lines(self) -> list[Line]:
        latencies = {event.id: event.latency for event in self._stage.consumer.accepted}
        names = {role.id: role.name for role in self._stage.roles}
        return [
            Line(
                at=datetime.fromisoformat(document["time"]),
                type=document["type"],
                name=names.get(document["subject"], document["subject"]),
                what=self._summarise(document),
                state=self._states.get(event_id, DeliveryState.PENDING),
                latency=latencies.get(event_id),
            )
            for event_id, document in list(self._documents.items())[-LINES_LIMIT:]
        ]

    def _tally(self) -> Tally:
        consumer = self._stage.consumer
        polls = sum(api.record.answers for api in self._stage.apis.values())
        states = list(self._states.values())
        return Tally(
            polls=polls,
            polls_per_second=self._pace(polls),
            events=len(self._documents),
            delivered=states.count(DeliveryState.DELIVERED),
            verified=len(consumer.accepted),
            duplicates=consumer.duplicates,
            bad_signatures=consumer.bad_signatures,
            gaps=consumer.gaps,
            median_latency=_median([event.latency for event in consumer.accepted]),
        )

    def _pace(self, polls: int) -> float:
        now = time.monotonic()
        self._polls.append((now, polls))
        while now - self._polls[0][0] > PACE_SECONDS:
            self._polls.popleft()
        began, before = self._polls[0]
        return (polls - before) / (now - began) if now > began else 0.0


def _median(latencies: Sequence[timedelta]) -> timedelta | None:
    if not latencies:
        return None
    return timedelta(seconds=median(latency.total_seconds() for latency in latencies))
