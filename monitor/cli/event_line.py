"""An event as one line: aligned columns that fit the terminal, whole in a pipe."""

from collections.abc import Sequence
from typing import Any, Final

from rich.text import Text

from monitor.cli.event_summary import summarise
from monitor.cli.screen import safe, word, write_short_time, write_time
from monitor.storage.queries import EventView

_MEDIUM: Final = 110
"""Columns from which on the subject's id has room beside its source."""
_WIDE: Final = 160
"""Columns from which on everything has room."""
_GAP: Final = 2
_AS_IT_IS: Final = 0

_Cell = tuple[Text, int]
"""A text, and the columns that it gets."""


def write_event(event: EventView, document: Any, *, width: int | None) -> Text:
    """Write an event to fit so many columns; none: nothing is cut."""
    kind = str(document["type"])
    typed = safe(kind, str(word(kind.rpartition(".")[2]).style))
    name = (document["data"].get("batch") or {}).get("name") or ""
    subject, source = document["subject"], document["source"].rpartition("/")[2]
    what = safe(summarise(document))
    if width is None:
        at = safe(write_time(event.at))
        texts = (at, typed, safe(source), safe(subject), safe(name), what, safe(event.id))
        return _join([(text, _AS_IT_IS) for text in texts if text])
    at = safe(write_short_time(event.at), "dim")
    head = [(at, len(at)), (typed, 20)]
    if width < _MEDIUM:
        about = [(safe(subject), 8), (safe(name, "dim"), 12)] if name else [(safe(subject), 22)]
        return _fit([*head, *about, (what, _AS_IT_IS)], width)
    head += [(safe(source, "dim"), 14), (safe(subject), 36)]
    if width < _WIDE:
        return _fit([*head, (what, _AS_IT_IS)], width)
    tail = [(safe(name, "dim"), 18), (safe(event.id, "dim"), 30)]
    room = width - sum(columns + _GAP for _, columns in [*head, *tail])
    return _fit([*head, tail[0], (what, room), tail[1]], width)


def _fit(cells: Sequence[_Cell], width: int) -> Text:
    line = _join(cells)
    line.truncate(width, overflow="ellipsis")
    return line


def _join(cells: Sequence[_Cell]) -> Text:
    for text, columns in cells:
        if columns != _AS_IT_IS:
            text.truncate(columns, overflow="ellipsis", pad=True)
    return Text(" " * _GAP).join(text for text, _ in cells)
