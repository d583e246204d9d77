"""One delivery with its attempts and its body: `monitor delivery`."""

import json
from collections.abc import Sequence
from pathlib import Path

from rich.text import Text

from monitor.cli.delivery_facts import DeliveryFacts, attempt_document
from monitor.cli.options import Output
from monitor.cli.page import show_heading, show_page
from monitor.cli.screen import safe, write_json, write_latency, write_time
from monitor.cli.screen import show as show_text
from monitor.cli.session import reading, run
from monitor.cli.table import show_table
from monitor.config.load import load
from monitor.config.schema import Config
from monitor.core.delivery import VerdictKind
from monitor.core.errors import UnknownNameError
from monitor.storage.database import Database
from monitor.storage.delivery_queries import (
    AttemptView,
    DeliveryView,
    attempts_of,
    deliveries_of_event,
    read_delivery,
)
from monitor.storage.queries import read_body

LARGEST_ROW = 2**63 - 1


def show(path: Path | None, delivery_id: str, *, output: str) -> None:
    """Show the delivery of this id, or the only one of this event."""
    run(_show(load(path), delivery_id, output=output))


async def _show(config: Config, delivery_id: str, *, output: str) -> None:
    async with reading(config) as database:
        view = await _find(database, delivery_id)
        attempts = await attempts_of(database, view.row)
        body = await read_body(database, view.event_id)
    delivery = DeliveryFacts(view=view, configured=view.receiver in config.receivers)
    document = json.loads(body or b"null")
    if output == Output.JSON:
        tried = [attempt_document(attempt) for attempt in attempts]
        write_json({**delivery.document(), "tries": tried, "body": document})
        return
    _show_delivery(delivery)
    _show_attempts(attempts)
    show_heading("Body")
    for line in json.dumps(document, indent=2, ensure_ascii=False).splitlines():
        show_text(safe(line.replace(" ", "\u00a0", _indent(line))))


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


async def _find(database: Database, delivery_id: str) -> DeliveryView:
    if row := parse_row(delivery_id):
        view = await read_delivery(database, row)
        found = [] if view is None else [view]
    else:
        found = await deliveries_of_event(database, delivery_id)
    if len(found) > 1:
        ids = ", ".join(f"{view.row} ({view.receiver})" for view in found)
        raise UnknownNameError(f"{delivery_id} has {len(found)} deliveries, say which: {ids}")
    if not found:
        raise UnknownNameError(
            f"there is no delivery {delivery_id!r}: `monitor deliveries` shows those there are"
        )
    return found[0]


def parse_row(text: str) -> int | None:
    """Return a delivery's number; none for anything else."""
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0
    return number if 0 < number <= LARGEST_ROW else None


def _show_delivery(delivery: DeliveryFacts) -> None:
    view = delivery.view
    show_page(
        Text.assemble("delivery ", safe(view.row, "bold"), " to ", safe(view.receiver, "bold")),
        [
            ("state", delivery.standing),
            ("event", safe(view.event_id)),
            ("type", safe(view.event_type)),
            ("subject", safe(f"{view.subject_kind} {view.subject}")),
            ("sequence", safe(view.sequence)),
            ("owed since", safe(write_time(view.enqueued_at))),
            ("due", safe(write_time(view.due_at))),
            ("delivered", safe(write_time(view.delivered_at))),
            ("attempts", safe(view.attempts)),
        ],
    )


def _show_attempts(attempts: Sequence[AttemptView]) -> None:
    if not attempts:
        show_text(safe("\nno attempt yet"))
        return
    show_heading("Attempts")
    rows = [
        [
            safe(write_time(attempt.at)),
            safe(write_latency(attempt.duration)),
            safe(attempt.verdict, "green" if attempt.verdict == VerdictKind.DELIVERED else "red"),
            safe(attempt.status_code or ""),
            safe(attempt.error or ""),
            safe(attempt.response or "", "dim"),
        ]
        for attempt in attempts
    ]
    columns = ("Time", "Took", "Verdict", "Status", "Error", "Response")
    stacks = (("Time", "Took"), ("Verdict", "Status", "Error"), ("Response",))
    show_table(columns, rows, stacks=stacks)
