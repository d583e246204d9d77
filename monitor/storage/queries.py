"""Reads for people: batches with their snapshots, events, and how sources fare."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text

from monitor.core.batch import Phase, Watch
from monitor.core.event import SubjectKind
from monitor.core.source import Health
from monitor.storage.database import Database
from monitor.storage.sources import read_source
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


async def read_body(database: Database, event_id: str) -> bytes | None:
    """Return an event's body; none when there is no such event."""
    async with database.reading() as connection:
        body = (await connection.execute(_BODY, {"id": event_id})).scalar_one_or_none()
        return None if body is None else bytes(body)


async def source_healths(database: Database) -> dict[str, Health]:
    """Return how each source fares that was ever polled, by name."""
    async with database.reading() as connection:
        rows = (await connection.execute(_SOURCES)).scalars().all()
    sources = [await read_source(database, row) for row in rows]
    return {source.name: source.health for source in sources}


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
_BODY: Final = text("SELECT body FROM events WHERE id = :id")
_SOURCES: Final = text("SELECT id FROM sources ORDER BY name")
