"""The explanation of an event: the routes that it meets today, and its fate at each receiver."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from monitor.config.schema import Config
from monitor.core.delivery import DeliveryState
from monitor.core.errors import UnknownNameError
from monitor.core.event import Document, facts, is_test
from monitor.facts.daemon_seen import missing_daemon
from monitor.facts.delivery import DeliveryFacts, Wait, parse_row
from monitor.facts.event_id import whole_id
from monitor.facts.fate import Fate, History
from monitor.facts.route import RouteFacts
from monitor.storage.database import Database
from monitor.storage.deliveries.read import (
    AttemptView,
    DeliveryView,
    attempts_of,
    deliveries_of_events,
    lane_head,
    last_hold,
)
from monitor.storage.events.read import EventView, read_event


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """An event, the routes of today's config, and its fate at each receiver."""

    document: Document
    routes: Sequence[RouteFacts]
    """Empty for a test, which goes to its receiver whatever the routes say."""
    fates: Sequence[Fate]
    missing_daemon: str

    @property
    def is_test(self) -> bool:
        """Return whether the event is a test."""
        return is_test(self.document)

    @property
    def about(self) -> str:
        """Write what the event is about: `batch b1 of bolna`, `source bolna`."""
        kind, _, owner = self.document["source"].strip("/").partition("/")
        if kind == "sources" and self.document["data"].get("batch"):
            return f"batch {self.document['subject']} of {owner}"
        return f"{kind.rstrip('s')} {owner}"

    def lay_out(self, *, now: datetime) -> dict[str, Any]:
        """Lay it out as JSON."""
        document = self.document
        return {
            "event": document["id"],
            "type": document["type"],
            "source": document["source"],
            "subject": document["subject"],
            "sequence": document["data"]["sequence"],
            "time": document["time"],
            "routes": [route.document() for route in self.routes],
            "receivers": [fate.document(now=now) for fate in self.fates],
            "daemon": self.missing_daemon or None,
        }


async def explain(database: Database, config: Config, event_id: str) -> Explanation:
    """Explain the event that an id, or its beginning, names; raise UnknownNameError for none."""
    event = await _find(database, event_id)
    document = json.loads(event.body)
    test = is_test(document)
    seen = facts(document)
    routes = [
        RouteFacts(number=number, route=route, facts=seen)
        for number, route in enumerate(() if test else config.routes, start=1)
    ]
    owed = {view.receiver: view for view in await deliveries_of_events(database, [event.id])}
    would = set(owed) if test else {one.route.receiver for one in routes if one.applies}
    fates = []
    for name in dict.fromkeys([*config.receivers, *owed]):
        own = await _history(database, config, owed[name]) if name in owed else None
        fates.append(
            Fate(
                receiver=name,
                would=name in would,
                routed=any(one.route.receiver == name for one in routes),
                test=test,
                own=own,
                ahead=await _ahead(database, config, own),
                hold=await _hold(database, own),
            )
        )
    return Explanation(
        document=document,
        routes=routes,
        fates=fates,
        missing_daemon=await missing_daemon(database),
    )


async def _find(database: Database, event_id: str) -> EventView:
    whole = await whole_id(database, event_id)
    found = None if whole is None else await read_event(database, whole)
    if found is None and parse_row(event_id):
        raise UnknownNameError(
            f"{event_id} is no event's id, those begin with evt_; `monitor delivery {event_id}`"
            " shows the delivery of that number"
        )
    if found is None:
        raise UnknownNameError(
            f"there is no event {event_id!r}: `monitor events` shows those that are kept"
        )
    return found


async def _history(database: Database, config: Config, view: DeliveryView) -> History:
    attempts = await attempts_of(database, view.row)
    return History(delivery=DeliveryFacts.of(view, config), attempts=attempts)


async def _ahead(database: Database, config: Config, own: History | None) -> History | None:
    """Return the head of a pending delivery's lane, unless it is that one itself."""
    if own is None or own.delivery.view.state is not DeliveryState.PENDING:
        return None
    head = await lane_head(database, own.delivery.view.row)
    if head is None or head.row == own.delivery.view.row:
        return None
    return await _history(database, config, head)


async def _hold(database: Database, own: History | None) -> AttemptView | None:
    if own is None or own.delivery.waits_for is not Wait.HOLD:
        return None
    return await last_hold(database, own.delivery.view.receiver)
