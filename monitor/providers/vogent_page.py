"""A page of one of a job's lists: read as it comes, without the transcripts it is made of."""

from dataclasses import dataclass
from sys import intern
from typing import Any, Final

import ijson

from monitor.providers.document import invalid, read_status

Rows = dict[str, str]
"""The status of each row by its id."""

QUEUED: Final = "queued"
"""What a row of the queue, which has no status, counts as."""

ID_LIMIT: Final = 256
CURSOR_LIMIT: Final = 2048
ROWS_LIMIT: Final = 10_000
"""Far more than we ask for, so that one who does not listen is read all the same."""
DEPTH_LIMIT: Final = 100
TEXT_LIMIT: Final = 256 * 1024
"""In bytes, of one text: the parser holds it whole."""
VALUES_LIMIT: Final = 50_000
"""From one row to the next: more is no transcript of a call."""

_BROKEN: Final = (
    ijson.JSONError,
    ValueError,  # broken UTF-8, a lone surrogate
    ArithmeticError,  # a number beyond all exponents
    SystemError,  # what ijson makes of an integer of more than 4,300 digits
)
_OPENINGS: Final = frozenset({"start_map", "start_array"})
_CLOSINGS: Final = frozenset({"end_map", "end_array"})
_NESTED: Final = object()
"""Stands for an object or an array where a text should be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Hold what is kept of a page."""

    rows: Rows
    cursor: str | None
    """Where the next page begins; none: there is none."""


class PageReader:
    """Take a page's bytes as they come: `{"data": [{"id", "status", …}, …], "cursor"}`.

    Raises PollError for what is no such page. A key that says twice what we read is refused, and
    so is a row without an id or, where it should have one, without a status: a count that skips
    rows is wrong.
    """

    def __init__(self, *, statuses: bool) -> None:
        self._statuses = statuses
        self._events = ijson.sendable_list()
        self._parser = ijson.basic_parse_coro(self._events)
        self._depth = 0
        self._key = ""
        self._in_data = False
        self._fields: dict[str, Any] = {}
        self._row: dict[str, Any] = {}
        self._rows: Rows = {}
        self._values = 0
        self._silent = 0

    def take(self, part: bytes) -> None:
        """Go on by some bytes."""
        try:
            self._parser.send(part)
        except _BROKEN as error:
            raise invalid() from error
        self._silent = 0 if self._events else self._silent + len(part)
        self._values += len(self._events)
        if self._silent > TEXT_LIMIT or self._values > VALUES_LIMIT:
            raise invalid()
        self._read()
        self._events.clear()

    def close(self) -> Page:
        """Return the page, which must be whole."""
        try:
            self._parser.close()
        except _BROKEN as error:
            raise invalid() from error
        if "data" not in self._fields:
            raise invalid()
        return Page(rows=self._rows, cursor=_read_cursor(self._fields.get("cursor")))

    def _read(self) -> None:
        """Follow how deep we are; what lies deeper than a row's own fields is passed over."""
        depth = self._depth
        for event, value in self._events:
            if event in _CLOSINGS:
                depth -= 1
            if depth <= 3:
                self._note(depth, event, value)
            if event in _OPENINGS:
                depth += 1
                if depth > DEPTH_LIMIT:
                    raise invalid()
        self._depth = depth

    def _note(self, depth: int, event: str, value: Any) -> None:
        match depth:
            case 0 if event not in {"start_map", "end_map"}:
                raise invalid()
            case 1:
                self._note_field(event, value)
            case 2 if self._in_data:
                self._note_row(event)
            case 3 if self._in_data:
                self._keep(self._row, ("id", "status"), event, value)
            case _:
                pass

    def _note_field(self, event: str, value: Any) -> None:
        if event in _CLOSINGS:
            self._in_data = False
            return
        self._keep(self._fields, ("data", "cursor"), event, value)
        if self._key == "data" and event != "map_key":
            if event not in {"start_array", "null"}:  # null: what Go writes for none
                raise invalid()
            self._in_data = event == "start_array"

    def _note_row(self, event: str) -> None:
        match event:
            case "start_map":
                self._row = {}
            case "end_map":
                status = read_status(self._row.get("status")) if self._statuses else QUEUED
                self._rows[_read_id(self._row.get("id"))] = intern(status)
                self._values = 0
                if len(self._rows) > ROWS_LIMIT:
                    raise invalid()
            case _:
                raise invalid()

    def _keep(self, fields: dict[str, Any], names: tuple[str, ...], event: str, value: Any) -> None:
        """Note the value of a field that we read; only its first event has a say."""
        if event == "map_key":
            self._key = value
            if value in fields:
                raise invalid()
        elif self._key in names:
            fields.setdefault(self._key, _NESTED if event in _OPENINGS else value)


def _read_id(value: object) -> str:
    if type(value) is int:
        return str(value)
    if not isinstance(value, str) or not value or len(value) > ID_LIMIT:
        raise invalid()
    return value


def _read_cursor(value: object) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > CURSOR_LIMIT:
        raise invalid()
    return value
