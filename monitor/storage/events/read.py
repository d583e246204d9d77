"""Events as they were sent, read for people."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, text

from monitor.core.event import SubjectKind
from monitor.storage.database import Database, pages, reading
from monitor.storage.sql import NEWEST, from_milliseconds, milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class EventView:
    """One event as it was sent."""

    id: str
    at: datetime
    sequence: int
    body: bytes


@dataclass(frozen=True, slots=True, order=True)
class EventKey:
    """The place of an event among all others."""

    at: datetime
    sequence: int
    id: str


_SELECT: Final = "SELECT id, at, sequence, body FROM events"


def _event_of(row: Sequence[Any]) -> EventView:
    event_id, at, sequence, body = row
    return EventView(id=event_id, at=from_milliseconds(at), sequence=sequence, body=bytes(body))


# the newest of one subject
_EVENTS_OF: Final = text(
    f"{_SELECT} WHERE subject_kind = :kind AND subject_row = :row"
    " ORDER BY sequence DESC LIMIT :limit"
)


@reading
def newest_events(connection: Connection, batch_row: int, *, limit: int) -> list[EventView]:
    """Return a batch's events, the newest first."""
    values = {"kind": SubjectKind.BATCH.value, "row": batch_row, "limit": limit}
    return [_event_of(row) for row in connection.execute(_EVENTS_OF, values)]


def _place_of(last: Any) -> dict[str, Any]:
    return {"at": last.at, "sequence": last.sequence, "id": last.id}


# a page of those from a time on that come before a place, the newest first
_EVENTS: Final = text(
    f"{_SELECT} WHERE at >= :since AND at <= :at"
    " AND (at < :at OR sequence < :sequence OR (sequence = :sequence AND id < :id))"
    " ORDER BY at DESC, sequence DESC, id DESC LIMIT :limit"
)


async def events_since(database: Database, since: datetime | None) -> AsyncIterator[EventView]:
    """Yield the events from a time on, or all, the newest first."""
    start = 0 if since is None else milliseconds(since)
    newest = {"at": NEWEST, "sequence": NEWEST, "id": ""}
    async for page in pages(database, _EVENTS, _place_of, since=start, **newest):
        for row in page:
            yield _event_of(row)


# a page of the keys that come after a place, the oldest first
_KEYS: Final = text(
    "SELECT at, sequence, id FROM events WHERE at >= :at"
    " AND (at > :at OR sequence > :sequence OR (sequence = :sequence AND id > :id))"
    " ORDER BY at, sequence, id LIMIT :limit"
)


async def event_keys(database: Database, since: datetime) -> AsyncIterator[list[EventKey]]:
    """Yield the keys of the events from a time on, page by page, the oldest first."""
    oldest = {"at": milliseconds(since), "sequence": -1, "id": ""}
    async for page in pages(database, _KEYS, _place_of, **oldest):
        yield [EventKey(from_milliseconds(at), sequence, id_) for at, sequence, id_ in page]


# one look into the index
_NEWEST_AT: Final = text("SELECT max(at) FROM events")


@reading
def newest_event_at(connection: Connection) -> datetime | None:
    """Return the time of the newest event; none when there are no events."""
    newest: int | None = connection.execute(_NEWEST_AT).scalar_one()
    return from_milliseconds(newest)


# those of some ids, the oldest first
_EVENTS_BY_ID: Final = text(f"{_SELECT} WHERE id IN :ids ORDER BY at, sequence, id").bindparams(
    bindparam("ids", expanding=True)
)


@reading
def read_events(connection: Connection, ids: Sequence[str]) -> list[EventView]:
    """Return the events of these ids that there are, the oldest first; at most a page of ids."""
    if not ids:  # Postgres does not know the type of an empty list
        return []
    return [_event_of(row) for row in connection.execute(_EVENTS_BY_ID, {"ids": ids})]


async def read_event(database: Database, event_id: str) -> EventView | None:
    """Return one event; none when there is no such event."""
    found = await read_events(database, [event_id])
    return found[0] if found else None


# by a prefix, which may hold what LIKE takes for patterns
_IDS: Final = text(
    "SELECT id FROM events WHERE substr(id, 1, :length) = :prefix ORDER BY id LIMIT :limit"
)


@reading
def ids_beginning_with(connection: Connection, prefix: str, *, limit: int) -> list[str]:
    """Return the ids of events that begin so, in their order."""
    values = {"prefix": prefix, "length": len(prefix), "limit": limit}
    return list(connection.execute(_IDS, values).scalars().all())
