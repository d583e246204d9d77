"""A list's entries: read as they come, a few plain fields of each, however long the list is."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

import ijson

from monitor.providers.document import invalid

CURSOR_LIMIT: Final = 2048
DEPTH_LIMIT: Final = 100
TEXT_LIMIT: Final = 256 * 1024
"""In bytes, of one text: the parser holds it whole. Agents carry their prompts."""
EVENTS_LIMIT: Final = 1_000_000
"""Of the parser, for a whole list: about a second."""

_BROKEN: Final = (
    ijson.JSONError,
    ValueError,  # broken UTF-8, a lone surrogate
    ArithmeticError,  # a number beyond all exponents
    SystemError,  # what ijson makes of an integer of more than 4,300 digits
)
_OPENINGS: Final = frozenset({"start_map", "start_array"})
_CLOSINGS: Final = frozenset({"end_map", "end_array"})


class EntryReader:
    """Take a list's bytes as they come; hand each entry's `fields` to `take_entry`.

    The list is the whole document or, if `paged`, its `data`, beside a `cursor`. What is no text,
    number or the like counts as absent. Raises PollError for what is no such list.
    """

    def __init__(
        self,
        fields: Collection[str],
        take_entry: Callable[[Mapping[str, Any]], None],
        *,
        paged: bool = False,
    ) -> None:
        self.cursor: str | None = None
        """Where the next page begins; none: there is none."""
        self._fields = frozenset(fields)
        self._take_entry = take_entry
        self._top = 1 if paged else 0
        """How deep the list itself lies."""
        self._events = ijson.sendable_list()
        self._parser = ijson.basic_parse_coro(self._events)
        self._depth = 0
        self._silent = 0
        self._seen = 0
        self._key = "" if paged else "data"
        self._entry: dict[str, Any] = {}
        self._field = ""
        self._listed = False

    def take(self, part: bytes) -> None:
        """Go on by some bytes."""
        try:
            self._parser.send(part)
        except _BROKEN as error:
            raise invalid() from error
        self._silent = 0 if self._events else self._silent + len(part)
        self._seen += len(self._events)
        if self._silent > TEXT_LIMIT or self._seen > EVENTS_LIMIT:
            raise invalid()
        for event, value in self._events:
            self._follow(event, value)
        self._events.clear()

    def close(self) -> None:
        """End the list, which must be whole."""
        try:
            self._parser.close()
        except _BROKEN as error:
            raise invalid() from error
        if not self._listed:
            raise invalid()

    def _follow(self, event: str, value: Any) -> None:
        """Keep count of how deep we are; what lies deeper than an entry's fields is passed over."""
        self._depth -= event in _CLOSINGS
        match self._depth - self._top:
            case -1 if event not in {"start_map", "end_map"}:
                raise invalid()
            case 0:
                self._note_top(event, value)
            case 1 if self._key == "data":
                self._note_entry(event)
            case 2 if self._key == "data":
                self._note_field(event, value)
            case _:
                pass
        self._depth += event in _OPENINGS
        if self._depth > DEPTH_LIMIT:
            raise invalid()

    def _note_top(self, event: str, value: Any) -> None:
        if event == "map_key":
            self._key = value
        elif self._key == "data":
            if event not in {"start_array", "end_array", "null"}:
                raise invalid()
            self._listed = True
        elif self._key == "cursor" and event != "null" and value != "":
            if event != "string" or len(value) > CURSOR_LIMIT:
                raise invalid()
            self.cursor = value

    def _note_entry(self, event: str) -> None:
        if event == "start_map":
            self._entry = {}
        elif event != "start_array":  # the end of an entry, or one that is no object: empty
            self._take_entry(self._entry)
            self._entry = {}
        self._field = ""

    def _note_field(self, event: str, value: Any) -> None:
        if event == "map_key":
            self._field = value
        elif event not in _OPENINGS | _CLOSINGS and self._field in self._fields:
            self._entry[self._field] = value
