"""The event log, newest first: the events that match, each beside its decoded body."""

import json
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

from monitor.core.event import facts
from monitor.core.matching import Matcher
from monitor.storage.database import Database
from monitor.storage.events.read import EventView, events_since

LoggedEvent = tuple[EventView, Any]
"""An event, and its body decoded."""


async def matching(
    database: Database, matchers: Sequence[Matcher], *, since: datetime | None
) -> AsyncIterator[LoggedEvent]:
    """Yield the events of a time on that match, the newest first."""
    async for event in events_since(database, since):
        if found := match(event, matchers):
            yield found


def match(event: EventView, matchers: Sequence[Matcher]) -> LoggedEvent | None:
    """Decode an event; none when it does not match."""
    document = json.loads(event.body)
    seen = facts(document) if matchers else {}
    return (event, document) if all(matcher.matches(seen) for matcher in matchers) else None
