"""Reads for people: events as they were sent."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, text

from monitor.core.event import SubjectKind
from monitor.storage.batches.read import PAGE
from monitor.storage.database import Database, fetch, reading
from monitor.storage.times import from_milliseconds, milliseconds

_NEWEST: Final = 2**62
"""Later than any time or sequence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventView:
    """Hold one event as it was sent."""

    id: str
    at: datetime
    sequence: int
    body: bytes


@dataclass(frozen=True, slots=True, order=True)
class EventKey:
    """Place an event among all others."""

    at: datetime
    sequence: int
    id: str


@reading
def newest_events(connection: Connection, batch_row: int, *, limit: int) -> list[EventView]:
    """Return a batch's events, the newest first."""
    values = {"kind": SubjectKind.BATCH.value, "row": batch_row, "limit": limit}
    return [_event_of(row) for row in connection.execute(_EVENTS_OF, values)]


async def events_since(database: Database, since: datetime | None) -> AsyncIterator[EventView]:
    """Yield the events from a time on, or all, the newest first."""
    start = 0 if since is None else milliseconds(since)
    at, sequence, event_id = _NEWEST, _NEWEST, ""
    while True:
        values = {"since": start, "at": at, "sequence": sequence, "id": event_id, "limit": PAGE}
        rows = await fetch(database, _EVENTS, values)
        for row in rows:
            yield _event_of(row)
        if len(rows) < PAGE:
            return
        event_id, at, sequence = rows[-1][:3]


async def event_keys(database: Database, since: datetime) -> AsyncIterator[list[EventKey]]:
    """Yield the keys of the events from a time on, page by page, the oldest first."""
    at, sequence, event_id = milliseconds(since), -1, ""
    while True:
        values = {"at": at, "sequence": sequence, "id": event_id, "limit": PAGE}
        rows = await fetch(database, _KEYS, values)
        if rows:
            yield [EventKey(from_milliseconds(row[0]), row[1], row[2]) for row in rows]
        if len(rows) < PAGE:
            return
        at, sequence, event_id = rows[-1]


@reading
def newest_event_at(connection: Connection) -> datetime | None:
    """Return the time of the newest event; none when there are no events."""
    newest: int | None = connection.execute(_NEWEST_AT).scalar_one()
    return from_milliseconds(newest)


@reading
def read_events(connection: Connection, ids: Sequence[str]) -> list[EventView]:
    """Return the events of these ids that there are, the oldest first; at most a page of ids."""
    if not ids:  # Postgres cannot tell the type of an empty list
        return []
    return [_event_of(row) for row in connection.execute(_EVENTS_BY_ID, {"ids": ids})]


async def read_event(database: Database, event_id: str) -> EventView | None:
    """Return one event; none when there is no such event."""
    found = await read_events(database, [event_id])
    return found[0] if found else None


@reading
def ids_beginning_with(connection: Connection, prefix: str, *, limit: int) -> list[str]:
    """Return the ids of events that begin so, in their order."""
    values = {"prefix": prefix, "length": len(prefix), "limit": limit}
    return list(connection.execute(_IDS, values).scalars().all())


def _event_of(row: Sequence[Any]) -> EventView:
    return EventView(id=row[0], at=from_milliseconds(row[1]), sequence=row[2], body=bytes(row[3]))


_EVENTS_OF: Final = text(
    "SELECT id, at, sequence, body FROM events"
    " WHERE subject_kind = :kind AND subject_row = :row ORDER BY sequence DESC LIMIT :limit"
)
_EVENTS: Final = text(
    "SELECT id, at, sequence, body FROM events WHERE at >= :since AND at <= :at"
    " AND (at < :at OR sequence < :sequence OR (sequence = :sequence AND id < :id))"
    " ORDER BY at DESC, sequence DESC, id DESC LIMIT :limit"
)
_KEYS: Final = text(
    "SELECT at, sequence, id FROM events WHERE at >= :at"
    " AND (at > :at OR sequence > :sequence OR (sequence = :sequence AND id > :id))"
    " ORDER BY at, sequence, id LIMIT :limit"
)
_NEWEST_AT: Final = text("SELECT max(at) FROM events")
_IDS: Final = text(
    "SELECT id FROM events WHERE substr(id, 1, :length) = :prefix ORDER BY id LIMIT :limit"
)
_EVENTS_BY_ID: Final = text(
    "SELECT id, at, sequence, body FROM events WHERE id IN :ids ORDER BY at, sequence, id"
).bindparams(bindparam("ids", expanding=True))
