"""What an event says, in a few words."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from monitor.core.event import EventType
from monitor.facts.times import write_wait


def summarise(document: Mapping[str, Any]) -> str:
    """Write the heart of an event: `queued -> executed`, `71.4%: completed +5, ringing -5`."""
    test = "test: " if document["data"].get("test") else ""
    return test + _heart(document)


def _heart(document: Mapping[str, Any]) -> str:
    data = document["data"]
    match document["type"]:
        case (
            EventType.FIRST_SEEN
            | EventType.STATUS_UNKNOWN
            | EventType.COMPLETED
            | EventType.FAILED
            | EventType.CANCELLED
            | EventType.REOPENED
        ):
            return _with_percent(str(data["status"]), data) + _left_open(data)
        case EventType.STATUS_CHANGED:
            return f"{data['previous_status']} -> {data['status']}"
        case EventType.COUNTS_CHANGED:
            changes = (f"{name} {change:+,}" for name, change in data["changes"].items())
            percent = data["progress"]["percent"]
            moved = ", ".join(changes) or "totals"
            return moved if percent is None else f"{percent:g}%: {moved}"
        case EventType.UNREACHABLE | EventType.SOURCE_FAILING:
            error = data["error"]
            return str(error["status_code"] or error["kind"])
        case EventType.STALLED | EventType.PROGRESSING | EventType.OVERDUE:
            return _lasting(document)
        case _:
            return ""


def name_in(document: Mapping[str, Any]) -> str:
    """Return the name of the batch that an event is about; empty when it has none."""
    return str((document["data"].get("batch") or {}).get("name") or "")


def source_in(document: Mapping[str, Any]) -> str:
    """Return the name of the source, or whatever else an event comes from."""
    return str(document["source"].rpartition("/")[2])


def _lasting(document: Mapping[str, Any]) -> str:
    data = document["data"]
    if document["type"] == EventType.OVERDUE:
        return f"{_lasted(document, data['scheduled_at'])} late"
    word = "no move for" if document["type"] == EventType.STALLED else "after"
    return _with_percent(f"{word} {_lasted(document, data['since'])}", data)


def _lasted(document: Mapping[str, Any], since: str) -> str:
    return write_wait(datetime.fromisoformat(document["time"]) - datetime.fromisoformat(since))


def _left_open(data: Mapping[str, Any]) -> str:
    """Write how many calls an end leaves open; empty for other events."""
    left = data["progress"]["open"] if "settled_by" in data else None
    return f", {left:,} left open" if left else ""


def _with_percent(text: str, data: Mapping[str, Any]) -> str:
    percent = data["progress"]["percent"]
    return text if percent is None else f"{text}, {percent:g}%"
