"""Who heard of an event, who did not, and why: `monitor explain`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.text import Text

from monitor.cli.commands.fate import Fate, History
from monitor.cli.commands.route_facts import RouteFacts, routes_of
from monitor.cli.daemon_seen import missing_daemon
from monitor.cli.delivery_facts import DeliveryFacts, Wait, parse_row
from monitor.cli.event_id import whole_id
from monitor.cli.event_summary import summarise
from monitor.cli.options import Output
from monitor.cli.page import show_facts, show_heading, show_page
from monitor.cli.screen import put, safe, write_json, write_time
from monitor.cli.session import reading, run
from monitor.config.load import load
from monitor.config.schema import Config
from monitor.core.delivery import DeliveryState
from monitor.core.errors import UnknownNameError
from monitor.core.event import Document, EventType, facts
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
    """Hold an event, the routes of today's config, and its fate at each receiver."""

    document: Document
    routes: Sequence[RouteFacts]
    """Empty for a test, which goes to its receiver whatever the routes say."""
    fates: Sequence[Fate]
    missing_daemon: str


def show(path: Path | None, event_id: str, *, output: str) -> None:
    """Explain the event of this id."""
    run(_show(load(path), event_id, output=output))


async def _show(config: Config, event_id: str, *, output: str) -> None:
    async with reading(config) as database:
        explanation = await _explain(database, config, await _find(database, event_id))
    now = datetime.now(UTC)
    if output == Output.JSON:
        write_json(_lay_out(explanation, now))
        return
    _show_event(explanation.document)
    _show_routes(explanation)
    _show_fates(explanation, now)


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


async def _explain(database: Database, config: Config, event: EventView) -> Explanation:
    document = json.loads(event.body)
    test = document["type"] == EventType.TEST
    routes = [] if test else list(routes_of(config.routes, facts(document)))
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


def _lay_out(explanation: Explanation, now: datetime) -> dict[str, Any]:
    document = explanation.document
    return {
        "event": document["id"],
        "type": document["type"],
        "source": document["source"],
        "subject": document["subject"],
        "sequence": document["data"]["sequence"],
        "time": document["time"],
        "routes": [route.document() for route in explanation.routes],
        "receivers": [fate.document(now=now) for fate in explanation.fates],
        "daemon": explanation.missing_daemon or None,
    }


def _show_event(document: Document) -> None:
    kind, _, owner = document["source"].strip("/").partition("/")
    batch = document["data"].get("batch") or {}
    about = f"batch {document['subject']} of {owner}" if batch else f"{kind.rstrip('s')} {owner}"
    show_page(
        Text.assemble("event ", safe(document["id"], "bold")),
        [
            ("type", safe(document["type"])),
            ("about", safe(about)),
            ("name", safe(batch.get("name") or "")),
            ("what", safe(summarise(document))),
            ("time", safe(write_time(datetime.fromisoformat(document["time"])))),
            ("sequence", safe(document["data"]["sequence"])),
        ],
    )


def _show_routes(explanation: Explanation) -> None:
    show_heading("Routes, as the config has them now")
    if explanation.document["type"] == EventType.TEST:
        put(safe("a test goes to its receiver, whatever the routes say"))
    elif not explanation.routes:
        put(safe("the config has none: nobody hears of anything; add [[routes]]", "yellow"))
    show_facts(
        (f"{route.number} -> {route.route.receiver}", safe(route.write(), _style(route)))
        for route in explanation.routes
    )


def _style(route: RouteFacts) -> str:
    return "" if route.applies else "dim"


def _show_fates(explanation: Explanation, now: datetime) -> None:
    show_heading("Receivers")
    if not explanation.fates:
        put(safe("the config has none: add [receivers.NAME] and a route to it", "yellow"))
    show_facts((fate.receiver, Text("\n").join(fate.tell(now=now))) for fate in explanation.fates)
    pending = any(
        fate.own is not None and fate.own.delivery.view.state is DeliveryState.PENDING
        for fate in explanation.fates
    )
    if pending and explanation.missing_daemon:
        put(Text("\n") + safe(explanation.missing_daemon, "red"))
