"""A list's entries: read as they come, a few plain fields of each, however long the list is."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

import ijson

from monitor.providers.document import invalid

CURSOR_LIMIT: Final = 2048
DEPTH_LIMIT: Final = 100
TEXT_LIMIT: Final = 1024 * 1024
"""In bytes, of one text: the parser holds it whole. Agents carry their prompts."""
VALUES_LIMIT: Final = 50_000
"""From one entry to the next: more is no transcript of a call, and no batch."""
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
_NESTED: Final = object()
"""Stands for an object or an array where a plain value should be."""


class EntryReader:
    """Take a list's bytes as they come; hand each entry's `fields` to `take_entry`.

    The list is the whole document or, if `paged`, its `data`, beside a `cursor`. What is no text,
    number or the like counts as null. Raises PollError for what is no such list, and for a key
    that says twice what we read.
    """

    def __init__(
        self,
        fields: Collection[str],
        take_entry: Callable[[Mapping[str, Any]], None],
        *,
        paged: bool = False,
    ) -> None:
        self._fields = frozenset(fields)
        self._take_entry = take_entry
        self._top = 1 if paged else 0
        """How deep the list itself lies."""
        self._events = ijson.sendable_list()
        self._parser = ijson.basic_parse_coro(self._events)
        self._depth = 0
        self._silent = 0
        self._values = 0
        self._seen = 0
        self._key = "" if paged else "data"
        self._page: dict[str, Any] = {}
        self._entry: dict[str, Any] = {}
        self._field = ""

    @property
    def cursor(self) -> str | None:
        """Return where the next page begins; None: there is none."""
        return self._page.get("cursor") or None

    def take(self, part: bytes) -> None:
        """Go on by some bytes."""
        try:
            self._parser.send(part)
        except _BROKEN as error:
            raise invalid() from error
        self._silent = 0 if self._events else self._silent + len(part)
        self._values += len(self._events)
        self._seen += len(self._events)
        if self._silent > TEXT_LIMIT or self._values > VALUES_LIMIT or self._seen > EVENTS_LIMIT:
            raise invalid()
        self._read()
        self._events.clear()

    def close(self) -> None:
        """End the list, which must be whole."""
        try:
            self._parser.close()
        except _BROKEN as error:
            raise invalid() from error
        cursor = self._page.get("cursor")
        usable = cursor is None or (isinstance(cursor, str) and len(cursor) <= CURSOR_LIMIT)
        if "data" not in self._page or not usable:
            raise invalid()

    def _read(self) -> None:
        """Follow how deep we are; what lies deeper than an entry's fields is passed over."""
        depth, deepest = self._depth, self._top + 2
        for event, value in self._events:
            if event in _CLOSINGS:
                depth -= 1
            if depth <= deepest:
                self._note(depth - self._top, event, value)
            if event in _OPENINGS:
                depth += 1
                if depth > DEPTH_LIMIT:
                    raise invalid()
        self._depth = depth

    def _note(self, depth: int, event: str, value: Any) -> None:
        match depth:
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

    def _note_top(self, event: str, value: Any) -> None:
        if event == "map_key":
            self._key = value
            if value in self._page:
                raise invalid()
        elif self._key == "data":
            if event not in {"start_array", "end_array", "null"}:  # null: what Go writes for none
                raise invalid()
            self._page["data"] = event
        elif self._key == "cursor" and event not in _CLOSINGS:
            self._page["cursor"] = _NESTED if event in _OPENINGS else value

    def _note_entry(self, event: str) -> None:
        if event == "start_map":
            self._entry = {}
        elif event != "start_array":  # the end of an entry, or one that is no object: empty
            self._take_entry(self._entry)
            self._entry = {}
            self._values = 0
        self._field = ""

    def _note_field(self, event: str, value: Any) -> None:
        if event == "map_key":
            self._field = value
            if value in self._entry:
                raise invalid()
        elif self._field in self._fields and event not in _CLOSINGS:
            self._entry[self._field] = None if event in _OPENINGS else value
