"""The page of one delivery, with its attempts and its body."""

import json
from collections.abc import Sequence

from rich.text import Text

from monitor.cli.options import Output
from monitor.cli.session import reading
from monitor.config.schema import Config
from monitor.core.delivery import VerdictKind
from monitor.core.errors import UnknownNameError
from monitor.facts.delivery import DeliveryFacts, attempt_document, parse_row
from monitor.facts.event_id import whole_id
from monitor.facts.times import write_latency, write_time
from monitor.screen.console import put, safe, word
from monitor.screen.documents import write_json
from monitor.screen.page import show_heading, show_page, write_standing
from monitor.screen.table import Row, show_table
from monitor.storage.database import Database
from monitor.storage.deliveries.read import (
    AttemptView,
    DeliveryView,
    attempts_of,
    deliveries_of_events,
    read_delivery,
)
from monitor.storage.events.read import read_event


async def show(config: Config, delivery_id: str, *, output: str) -> None:
    """Show the delivery of an id, or the only one of an event."""
    async with reading(config) as database:
        view = await _find(database, delivery_id)
        attempts = await attempts_of(database, view.row)
        event = await read_event(database, view.event_id)
    delivery = DeliveryFacts.of(view, config)
    document = json.loads(event.body if event else b"null")
    if output == Output.JSON:
        tries = [attempt_document(attempt) for attempt in attempts]
        write_json({**delivery.document(), "tries": tries, "body": document})
        return
    _show_delivery(delivery, attempts)
    _show_attempts(attempts)
    show_heading("Body")
    for line in json.dumps(document, indent=2, ensure_ascii=False).splitlines():
        indent = len(line) - len(line.lstrip(" "))
        put(safe(line.replace(" ", "\u00a0", indent)))


async def _find(database: Database, delivery_id: str) -> DeliveryView:
    if row := parse_row(delivery_id):
        view = await read_delivery(database, row)
        found = [] if view is None else [view]
    else:
        whole = await whole_id(database, delivery_id)
        found = await deliveries_of_events(database, [whole] if whole else [])
    if len(found) > 1:
        ids = ", ".join(f"{view.row} ({view.receiver})" for view in found)
        raise UnknownNameError(f"{delivery_id} has {len(found)} deliveries, say which: {ids}")
    if not found:
        raise UnknownNameError(
            f"there is no delivery {delivery_id!r}: `monitor deliveries` shows those there are"
        )
    return found[0]


def _show_delivery(delivery: DeliveryFacts, attempts: Sequence[AttemptView]) -> None:
    view = delivery.view
    show_page(
        Text.assemble("delivery ", safe(view.row, "bold"), " to ", safe(view.receiver, "bold")),
        [
            ("state", write_standing(delivery)),
            ("event", view.event_id),
            ("type", view.event_type),
            ("subject", f"{view.subject_kind} {view.subject}"),
            ("sequence", str(view.sequence)),
            ("owed since", write_time(view.enqueued_at)),
            ("due", write_time(view.due_at)),
            ("delivered", write_time(view.delivered_at)),
            ("attempts", _write_attempts(view, attempts)),
        ],
    )


def _write_attempts(view: DeliveryView, attempts: Sequence[AttemptView]) -> str:
    """Write how much of the schedule is used up, and which attempts count for nothing there."""
    again = [attempt for attempt in attempts if attempt.at < view.enqueued_at]
    held = [attempt for attempt in attempts[len(again) :] if attempt.verdict == VerdictKind.HOLD]
    others = [f"{len(held)} that held the receiver"] if held else []
    others += [f"{len(again)} before it was owed again"] if again else []
    return f"{view.attempts} (and {', '.join(others)})" if others else str(view.attempts)


def _show_attempts(attempts: Sequence[AttemptView]) -> None:
    if not attempts:
        put(Text("\nno attempt yet"))
    rows: list[Row] = [
        {
            "Time": write_time(attempt.at),
            "Took": write_latency(attempt.duration),
            "Verdict": word(attempt.verdict),
            "Status": str(attempt.status_code or ""),
            "Error": attempt.error or "",
            "Response": safe(attempt.response or "", "dim"),
        }
        for attempt in attempts
    ]
    show_table(rows, fold=("Response",), heading="Attempts")
