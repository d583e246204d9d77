"""The tables of the fields of an event's body."""

from collections.abc import Callable
from itertools import groupby
from typing import Final

from docs.generate.docstrings import docstrings
from docs.generate.regions import table
from monitor.core.body import DATA, BatchData, Body, ExampleData
from monitor.core.event import EventType

_SECTIONS: Final = {
    "settled": "#settled",
    "settled_by": "#settled",
    "counts": "#vogents-counts-and-hours",
    "forecast": "#forecast",
    "test": "#monitortest",
}
"""Where the page says more of a field."""
_ADDED: Final = [*dict.fromkeys(part for parts in DATA.values() for part in parts[1:]), ExampleData]


def writers() -> dict[str, Callable[[], str]]:
    """Return the writer of each table."""
    return {
        "fields_of_body": lambda: _fields(Body),
        "fields_of_batch": lambda: _fields(BatchData),
        "fields_added": _added_fields,
    }


def _fields(owner: type) -> str:
    rows = [(_name(field), text) for field, text in docstrings(owner).items()]
    return f"\n{table(('field', 'holds'), rows)}\n"


def _added_fields() -> str:
    rows = [
        (_name(field), _types_with(part), text)
        for part in _ADDED
        for field, text in docstrings(part).items()
    ]
    return f"\n{table(('field', 'in', 'holds'), rows)}\n"


def _name(field: str) -> str:
    section = _SECTIONS.get(field)
    return f"[`{field}`]({section})" if section else f"`{field}`"


def _types_with(part: type) -> str:
    """Name the types that a part is added to: `batch.completed`, `.failed`."""
    if part is ExampleData:
        return "any"
    types = [event_type.value for event_type in EventType if part in DATA[event_type]]
    names = []
    for room, same in groupby(types, key=lambda name: name.partition(".")[0]):
        first, *others = (name.removeprefix(room) for name in same)
        names += [f"`{room}{first}`", *(f"`{other}`" for other in others)]
    return ", ".join(names)
