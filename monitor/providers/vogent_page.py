"""A page of one of a job's lists: which row stands how, without the transcripts it is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from sys import intern
from typing import Any, Final

from monitor.providers.document import invalid, read_status
from monitor.providers.entries import EntryReader

Rows = dict[str, str]
"""The status of each row by its id."""

QUEUED: Final = "queued"
"""What a row of the queue, which has no status, counts as."""
UNTOLD: Final = "unknown"
"""What a dial whose status is null or absent counts as: open, as any word that we do not know."""

ID_LIMIT: Final = 256
ROWS_LIMIT: Final = 10_000
"""Far more than we ask for, so that one who does not listen is read all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What is kept of a page."""

    rows: Rows
    cursor: str | None
    """Where the next page begins; None: there is none."""


class PageReader:
    """Take a page's bytes as they come: `{"data": [{"id", "status", …}, …], "cursor"}`.

    Raises PollError for what is no such page, and for a row without an id: a count that skips rows
    is wrong.
    """

    def __init__(self, *, statuses: bool) -> None:
        self._statuses = statuses
        self._rows: Rows = {}
        self._reader = EntryReader({"id", "status"}, self._note, paged=True)
        self.take = self._reader.take

    def close(self) -> Page:
        """Return the page, which must be whole."""
        self._reader.close()
        return Page(rows=self._rows, cursor=self._reader.cursor)

    def _note(self, row: Mapping[str, Any]) -> None:
        status = QUEUED
        if self._statuses:
            told = row.get("status")
            status = UNTOLD if told is None else read_status(told)
        self._rows[_read_id(row.get("id"))] = intern(status)
        if len(self._rows) > ROWS_LIMIT:
            raise invalid()


def _read_id(value: object) -> str:
    if type(value) is int:
        return str(value)
    if not isinstance(value, str) or not value or len(value) > ID_LIMIT:
        raise invalid()
    return value
