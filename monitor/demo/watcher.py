"""The watcher: looks again and again at what the daemon stored and what the consumer got."""

import json
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from statistics import median
from typing import Final

from monitor.core.batch import Watch
from monitor.core.delivery import DeliveryState
from monitor.core.errors import StorageError
from monitor.demo.moment import Line, Moment, Totals
from monitor.demo.stage import Stage
from monitor.facts.event_summary import source_in, summarise
from monitor.storage.batches.read import watched_batches
from monitor.storage.deliveries.read import list_deliveries
from monitor.storage.events.follow import Follower
from monitor.storage.events.read import EventView

PACE_SECONDS: Final = 3.0
"""Seconds over which polls per second are counted."""
LINES_LIMIT: Final = 1000
"""Far more than a terminal shows, and than come between two looks."""


class Watcher:
    """The look at the daemon's database, the consumer and the simulated APIs."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._names = {role.id: role.name for role in stage.roles}
        self._follower = Follower(stage.database)
        self._lines: deque[Line] = deque(maxlen=LINES_LIMIT)
        """As the events were stored: who got them is seen at each look."""
        self._events = 0
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
            lines=self._delivered(),
            totals=self._totals(),
        )

    async def _read(self) -> None:
        database = self._stage.database
        self._watches = [batch.watch async for batch in watched_batches(database)][::-1]
        async for event in self._follower.look():
            self._lines.append(self._line(event))
            self._events += 1
        async for delivery in list_deliveries(database):
            self._states[delivery.event_id] = delivery.state

    def _line(self, event: EventView) -> Line:
        document = json.loads(event.body)
        return Line(
            id=event.id,
            at=event.at,
            type=document["type"],
            source=source_in(document),
            name=self._names.get(document["subject"], document["subject"]),
            what=summarise(document),
            state=DeliveryState.PENDING,
        )

    def _delivered(self) -> list[Line]:
        """Set each line beside what became of it by now."""
        latencies = {event.id: event.latency for event in self._stage.arrivals.accepted}
        return [
            replace(
                line,
                state=self._states.get(line.id, DeliveryState.PENDING),
                latency=latencies.get(line.id),
            )
            for line in self._lines
        ]

    def _totals(self) -> Totals:
        arrivals = self._stage.arrivals
        polls = sum(api.record.answers for api in self._stage.apis.values())
        states = list(self._states.values())
        return Totals(
            polls=polls,
            polls_per_second=self._pace(polls),
            events=self._events,
            delivered=states.count(DeliveryState.DELIVERED),
            verified=len(arrivals.accepted),
            duplicates=arrivals.duplicates,
            bad_signatures=arrivals.bad_signatures,
            gaps=arrivals.gaps,
            median_latency=_median([event.latency for event in arrivals.accepted]),
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
