"""What an event says, in a few words."""

from collections.abc import Mapping
from typing import Any

from monitor.core.event import EventType


def summarise(document: Mapping[str, Any]) -> str:
    """Write the heart of an event: `queued -> executed`, `71.4%: completed +5, ringing -5`."""
    data = document["data"]
    match document["type"]:
        case EventType.FIRST_SEEN | EventType.STATUS_UNKNOWN:
            return _with_percent(str(data["status"]), data)
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
        case EventType.COMPLETED | EventType.FAILED | EventType.CANCELLED | EventType.REOPENED:
            return _with_percent(str(data["status"]), data)
        case _:
            return ""


def _with_percent(text: str, data: Mapping[str, Any]) -> str:
    percent = data["progress"]["percent"]
    return text if percent is None else f"{text}, {percent:g}%"
