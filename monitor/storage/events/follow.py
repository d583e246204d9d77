"""A follower: every event once as it is committed, however late that is after it happened."""

import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from monitor.storage.database import Database
from monitor.storage.events.read import (
    EventKey,
    EventView,
    event_keys,
    newest_event_at,
    read_events,
)

LATE: Final = timedelta(minutes=1)
"""How much older than the newest an event may be when it is committed: a daemon's lease."""
GRACE: Final = 60.0
"""Seconds for which what was the newest before still counts: after an outage one daemon may
commit new readings before another one has committed those from before it."""

_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Follower:
    """One who looks again and again, and remembers no more than the ids of the last minutes."""

    def __init__(
        self,
        database: Database,
        *,
        since: datetime = _FIRST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._since = since
        self._clock = clock
        self._seen: dict[str, datetime] = {}
        self._newest: deque[tuple[float, datetime]] = deque()
        """When we looked, and how new the newest event was then."""

    async def look(self) -> AsyncIterator[EventView]:
        """Yield what was committed since the last look, the oldest first."""
        newest = None
        async for page in event_keys(self._database, self._since):
            fresh = [key.id for key in page if key.id not in self._seen]
            for event in await read_events(self._database, fresh):
                self._seen[event.id] = event.at
                yield event
            newest = page[-1].at
            self._advance(newest)
        if newest is not None:
            self._remember(newest)

    def pass_over(self, events: Iterable[EventKey | EventView]) -> None:
        """Take events for seen."""
        self._seen.update((event.id, event.at) for event in events)

    def _remember(self, newest: datetime) -> None:
        now = self._clock()
        self._newest.append((now, newest))
        while len(self._newest) > 1 and self._newest[1][0] <= now - GRACE:
            self._newest.popleft()
        self._advance(newest)

    def _advance(self, at: datetime) -> None:
        """Look no further back than to what may still come before what we have seen."""
        floor = min(at, self._newest[0][1]) if self._newest else at
        if floor - LATE > self._since:
            self._since = floor - LATE
            self._seen = {id_: at for id_, at in self._seen.items() if at >= self._since}


async def follow_from_now(database: Database) -> Follower:
    """Return a follower to whom all events so far are old."""
    newest = await newest_event_at(database)
    since = _FIRST if newest is None else newest - LATE
    follower = Follower(database, since=since)
    async for page in event_keys(database, since):
        follower.pass_over(page)
    return follower
