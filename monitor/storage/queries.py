"""Reads for people: batches with their snapshots, events, how sources and daemons fare."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import bindparam, text

from monitor.core.batch import Phase, Watch
from monitor.core.event import SubjectKind
from monitor.storage.database import Database
from monitor.storage.sources import SourceRow, read_source
from monitor.storage.times import instant, milliseconds
from monitor.storage.watches import READ_COLUMNS, watch_of

PAGE: Final = 1000
_NEWEST: Final = 2**62
"""Later than any row number or time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchView:
    """Hold a registered batch, and whether and when it is polled."""

    watch: Watch
    watched: bool
    next_poll_at: datetime | None
    """None: removed, or forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotView:
    """Hold one stored reading."""

    number: int
    at: datetime
    status: str
    phase: Phase
    counts: Mapping[str, int] | None
    open_calls: int
    total_contacts: int | None
    valid_contacts: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventView:
    """Hold one event as it was sent."""

    id: str
    at: datetime
    sequence: int
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutedEvent:
    """Hold an event, and the receivers that the routes led to when it happened."""

    event: EventView
    receivers: tuple[str, ...]


@dataclass(frozen=True, slots=True, order=True)
class EventKey:
    """Place an event among all others."""

    at: datetime
    sequence: int
    id: str


async def watched_batches(database: Database) -> AsyncIterator[BatchView]:
    """Yield the batches that are watched, the last registered first."""
    before = _NEWEST
    while True:
        async with database.reading() as connection:
            values = {"before": before, "limit": PAGE}
            rows = (await connection.execute(_WATCHED, values)).all()
        for row in rows:
            yield _batch_of(row)
        if len(rows) < PAGE:
            return
        before = rows[-1][0]


async def read_batch(database: Database, source: str, batch_id: str) -> BatchView | None:
    """Return a batch, removed or not; none when it was never registered."""
    async with database.reading() as connection:
        found = await connection.execute(_BATCH, {"source": source, "id": batch_id})
        row = found.one_or_none()
        return None if row is None else _batch_of(row)


async def has_batches(database: Database, source: str) -> bool:
    """Tell whether any batch of a source was ever registered."""
    async with database.reading() as connection:
        return (await connection.execute(_OF_SOURCE, {"source": source})).first() is not None


async def newest_snapshots(database: Database, batch_row: int, *, limit: int) -> list[SnapshotView]:
    """Return a batch's snapshots, the newest first."""
    async with database.reading() as connection:
        rows = await connection.execute(_SNAPSHOTS, {"batch": batch_row, "limit": limit})
        return [_snapshot_of(row) for row in rows]


async def newest_events(database: Database, batch_row: int, *, limit: int) -> list[EventView]:
    """Return a batch's events, the newest first."""
    async with database.reading() as connection:
        values = {"kind": SubjectKind.BATCH.value, "row": batch_row, "limit": limit}
        return [_event_of(row) for row in await connection.execute(_EVENTS_OF, values)]


async def events_since(database: Database, since: datetime | None) -> AsyncIterator[EventView]:
    """Yield the events from a time on, or all, the newest first."""
    start = 0 if since is None else milliseconds(since)
    at, sequence, event_id = _NEWEST, _NEWEST, ""
    while True:
        async with database.reading() as connection:
            values = {
                "since": start,
                "at": at,
                "sequence": sequence,
                "id": event_id,
                "limit": PAGE,
            }
            rows = (await connection.execute(_EVENTS, values)).all()
        for row in rows:
            yield _event_of(row)
        if len(rows) < PAGE:
            return
        event_id, at, sequence = rows[-1][:3]


async def event_keys(database: Database, since: datetime) -> AsyncIterator[list[EventKey]]:
    """Yield the keys of the events from a time on, page by page, the oldest first."""
    at, sequence, event_id = milliseconds(since), -1, ""
    while True:
        async with database.reading() as connection:
            values = {"at": at, "sequence": sequence, "id": event_id, "limit": PAGE}
            rows = (await connection.execute(_KEYS, values)).all()
        if rows:
            yield [EventKey(instant(row[0]), row[1], row[2]) for row in rows]
        if len(rows) < PAGE:
            return
        at, sequence, event_id = rows[-1]


async def newest_event_at(database: Database) -> datetime | None:
    """Return the time of the newest event; none when there are no events."""
    async with database.reading() as connection:
        newest: int | None = (await connection.execute(_NEWEST_AT)).scalar_one()
        return instant(newest)


async def read_events(database: Database, ids: Sequence[str]) -> list[EventView]:
    """Return the events of these ids that there are, the oldest first; at most a page of ids."""
    if not ids:  # Postgres cannot tell the type of an empty list
        return []
    async with database.reading() as connection:
        return [_event_of(row) for row in await connection.execute(_EVENTS_BY_ID, {"ids": ids})]


async def read_event(database: Database, event_id: str) -> RoutedEvent | None:
    """Return an event and whom it was owed to; none when there is no such event."""
    async with database.reading() as connection:
        row = (await connection.execute(_EVENT, {"id": event_id})).one_or_none()
    if row is None:
        return None
    return RoutedEvent(event=_event_of(row), receivers=tuple(json.loads(row[4])["receivers"]))


async def read_body(database: Database, event_id: str) -> bytes | None:
    """Return an event's body; none when there is no such event."""
    async with database.reading() as connection:
        body = (await connection.execute(_BODY, {"id": event_id})).scalar_one_or_none()
        return None if body is None else bytes(body)


async def source_rows(database: Database) -> dict[str, SourceRow]:
    """Return every source that was ever configured, by name."""
    async with database.reading() as connection:
        rows = (await connection.execute(_SOURCES)).scalars().all()
    sources = [await read_source(database, row) for row in rows]
    return {source.name: source for source in sources}


async def daemon_seen_at(database: Database) -> datetime | None:
    """Return when a daemon last said, as each does once a minute, that it is alive."""
    async with database.reading() as connection:
        seen_at: int | None = (await connection.execute(_SEEN)).scalar_one()
        return instant(seen_at)


def _batch_of(row: Sequence[Any]) -> BatchView:
    return BatchView(watch=watch_of(row), watched=bool(row[-2]), next_poll_at=instant(row[-1]))


def _snapshot_of(row: Sequence[Any]) -> SnapshotView:
    return SnapshotView(
        number=row[0],
        at=instant(row[1]),
        status=row[2],
        phase=Phase(row[3]),
        counts=None if row[4] is None else json.loads(row[4]),
        open_calls=row[5],
        total_contacts=row[6],
        valid_contacts=row[7],
    )


def _event_of(row: Sequence[Any]) -> EventView:
    return EventView(id=row[0], at=instant(row[1]), sequence=row[2], body=bytes(row[3]))


# a claimed batch keeps the time it was due in due_at: next_poll_at is the end of its lease
_BATCH_COLUMNS: Final = (
    f"{READ_COLUMNS}, watched, CASE WHEN lease_owner IS NULL THEN next_poll_at ELSE due_at END"
)
_WATCHED: Final = text(
    f"SELECT {_BATCH_COLUMNS} FROM batches WHERE watched AND id < :before"  # noqa: S608 (ours)
    " ORDER BY id DESC LIMIT :limit"
)
_BATCH: Final = text(
    f"SELECT {_BATCH_COLUMNS} FROM batches"  # noqa: S608 (ours)
    " WHERE source = :source AND external_id = :id"
)
_OF_SOURCE: Final = text("SELECT 1 FROM batches WHERE source = :source LIMIT 1")
_SNAPSHOTS: Final = text(
    "SELECT number, at, status, phase, counts, open_calls, total_contacts, valid_contacts"
    " FROM snapshots WHERE batch = :batch ORDER BY number DESC LIMIT :limit"
)
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
_EVENTS_BY_ID: Final = text(
    "SELECT id, at, sequence, body FROM events WHERE id IN :ids ORDER BY at, sequence, id"
).bindparams(bindparam("ids", expanding=True))
_EVENT: Final = text("SELECT id, at, sequence, body, routing FROM events WHERE id = :id")
_BODY: Final = text("SELECT body FROM events WHERE id = :id")
_SOURCES: Final = text("SELECT id FROM sources ORDER BY name")
_SEEN: Final = text("SELECT max(seen_at) FROM instances")
