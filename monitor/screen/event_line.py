"""An event as one line: aligned columns that fit the terminal, whole in a pipe."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from rich.text import Text

from monitor.facts.event_summary import name_in, source_in, summarise
from monitor.facts.times import write_short_time, write_time
from monitor.screen.console import safe, style_of
from monitor.storage.events.read import EventView

_MEDIUM: Final = 110
"""Columns from which on the source has room."""
_WIDE: Final = 160
"""Columns from which on the event's id has room, and a batch's is whole."""
_SHORTEST: Final = 16
"""Columns that are left of what happened, however much there is to say of its deliveries."""
_SPACE: Final = Text("  ")
_AS_IT_IS: Final = 0

_Cell = tuple[Text, int]
"""A text, and the columns that it gets."""


def write_event(event: EventView, document: Any, *, width: int | None) -> Text:
    """Write an event to fit a width, a name for its subject; without a width, all of it."""
    kind = str(document["type"])
    typed = safe(kind, style_of(kind.rpartition(".")[2]))
    name, subject, source = name_in(document), document["subject"], source_in(document)
    what = safe(summarise(document))
    if width is None:
        at = safe(write_time(event.at))
        texts = (at, typed, safe(source), safe(subject), safe(name), what, safe(event.id))
        return _SPACE.join(text for text in texts if text)
    at, about = safe(write_short_time(event.at), "dim"), safe(name or subject)
    head = [(at, len(at)), (typed, 20)]
    if width < _MEDIUM:
        return _fit([*head, (about, 14), (what, _AS_IT_IS)], width)
    head.append((safe(source, "dim"), 14))
    if width < _WIDE:
        return _fit([*head, (about, 24), (what, _AS_IT_IS)], width)
    head.append((about, 36))
    tail = (safe(event.id, "dim"), 30)
    room = width - sum(columns + len(_SPACE) for _, columns in [*head, tail])
    return _fit([*head, (what, room), tail], width)


def write_told(event: EventView, document: Any, tail: Text, *, width: int) -> Text:
    """Write an event as it comes, and what became of it, which alone is never cut."""
    kind = str(document["type"])
    at = safe(event.at.astimezone().strftime("%H:%M:%S"), "dim")
    typed = safe(kind.removeprefix("batch."), style_of(kind.rpartition(".")[2]))
    about = safe(name_in(document) or document["subject"])
    names = 14 if width < _MEDIUM else 24
    head = [(at, _AS_IT_IS), (typed, 14), (about, names)]
    taken = len(at) + 14 + names + len(tail) + len(_SPACE) * 4
    what = safe(summarise(document))
    what.truncate(max(_SHORTEST, width - taken), overflow="ellipsis")
    return _SPACE.join((*_cells(head), *([what] if what else []), tail))


def _fit(cells: Sequence[_Cell], width: int) -> Text:
    line = _SPACE.join(_cells(cells))
    line.truncate(width, overflow="ellipsis")
    return line


def _cells(cells: Sequence[_Cell]) -> Iterator[Text]:
    """Yield the texts, each cut or filled up to its columns."""
    for text, columns in cells:
        if columns != _AS_IT_IS:
            text.truncate(columns, overflow="ellipsis", pad=True)
        yield text
