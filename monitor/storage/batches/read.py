"""Reads for people: batches with their snapshots, and when a daemon was last alive."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, text

from monitor.core.batch import Phase, Watch
from monitor.core.batch_id import identity_of
from monitor.storage.batches.row import READ_COLUMNS, watch_of
from monitor.storage.database import Database, fetch, reading
from monitor.storage.times import from_milliseconds

PAGE: Final = 1000
_NEWEST: Final = 2**62
"""Later than any row number."""


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


async def watched_batches(database: Database) -> AsyncIterator[BatchView]:
    """Yield the batches that are watched, the last registered first."""
    before = _NEWEST
    while True:
        rows = await fetch(database, _WATCHED, {"before": before, "limit": PAGE})
        for row in rows:
            yield _batch_of(row)
        if len(rows) < PAGE:
            return
        before = rows[-1][0]


@reading
def read_batch(connection: Connection, source: str, batch_id: str) -> BatchView | None:
    """Return a batch, removed or not, however its id is written; none if never registered."""
    found = connection.execute(_BATCH, {"source": source, "identity": identity_of(batch_id)})
    row = found.one_or_none()
    return None if row is None else _batch_of(row)


@reading
def has_batches(connection: Connection, source: str) -> bool:
    """Tell whether any batch of a source was ever registered."""
    return connection.execute(_OF_SOURCE, {"source": source}).first() is not None


@reading
def newest_snapshots(connection: Connection, batch_row: int, *, limit: int) -> list[SnapshotView]:
    """Return a batch's snapshots, the newest first."""
    rows = connection.execute(_SNAPSHOTS, {"batch": batch_row, "limit": limit})
    return [_snapshot_of(row) for row in rows]


@reading
def daemon_seen_at(connection: Connection) -> datetime | None:
    """Return when a daemon last said, as each does once a minute, that it is alive."""
    seen_at: int | None = connection.execute(_SEEN).scalar_one()
    return from_milliseconds(seen_at)


def _batch_of(row: Sequence[Any]) -> BatchView:
    return BatchView(
        watch=watch_of(row), watched=bool(row[-2]), next_poll_at=from_milliseconds(row[-1])
    )


def _snapshot_of(row: Sequence[Any]) -> SnapshotView:
    return SnapshotView(
        number=row[0],
        at=from_milliseconds(row[1]),
        status=row[2],
        phase=Phase(row[3]),
        counts=None if row[4] is None else json.loads(row[4]),
        open_calls=row[5],
        total_contacts=row[6],
        valid_contacts=row[7],
    )


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
    " WHERE source = :source AND identity = :identity"
)
_OF_SOURCE: Final = text(
    "SELECT 1 FROM batches WHERE source = :source ORDER BY external_id LIMIT 1"
)
_SNAPSHOTS: Final = text(
    "SELECT number, at, status, phase, counts, open_calls, total_contacts, valid_contacts"
    " FROM snapshots WHERE batch = :batch ORDER BY number DESC LIMIT :limit"
)
_SEEN: Final = text("SELECT max(seen_at) FROM instances")
