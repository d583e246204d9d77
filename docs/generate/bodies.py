"""The bodies of the events as a reader wants to see them."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from docs.generate.lives import told
from monitor.core.event import EventType

_WIDTH: Final = 100


def writers() -> dict[str, Callable[[], str]]:
    """Return the writer of each type's region, and of the one body that README shows."""
    regions: dict[str, Callable[[], str]] = {
        f"body_{event_type.value.replace('.', '_')}": partial(_body, event_type)
        for event_type in EventType
    }
    return regions | {"first_body": partial(_body, EventType.STATUS_CHANGED)}


def _body(event_type: EventType) -> str:
    return f"\n```json\n{pretty(told()[event_type])}\n```\n\n"


def pretty(value: Any, *, indent: str = "", before: int = 0) -> str:
    """Write JSON so that what fits on a line stands on one."""
    line = json.dumps(value, ensure_ascii=False)
    if len(indent) + before + len(line) <= _WIDTH or not isinstance(value, dict | list):
        return line
    deeper = indent + "  "
    if isinstance(value, list):
        items = [f"{deeper}{pretty(part, indent=deeper)}" for part in value]
        return "[\n" + ",\n".join(items) + f"\n{indent}]"
    rows = [
        f'{deeper}"{key}": {pretty(part, indent=deeper, before=len(key) + 4)}'
        for key, part in value.items()
    ]
    return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
