"""Batches and their snapshots, read for people."""

import json
import re
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, text

from monitor.core.batch import Phase, Watch
from monitor.core.batch_id import identity_of
from monitor.storage.batches.row import READ_COLUMNS, watch_of
from monitor.storage.database import Database, pages, reading
from monitor.storage.fields import Field, Fields
from monitor.storage.sql import NEWEST, Statement, from_milliseconds

_HEX: Final = re.compile("[0-9a-fA-F-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchView:
    """A registered batch, and whether and when it is polled."""

    watch: Watch
    watched: bool
    next_poll_at: datetime | None
    """None: removed, or forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotView:
    """One stored reading."""

    number: int
    at: datetime
    status: str
    phase: Phase
    counts: Mapping[str, int] | None
    open_calls: int
    total_contacts: int | None
    valid_contacts: int | None


# a claimed batch keeps the time it was due in due_at: next_poll_at is the end of its lease
_BATCH_COLUMNS: Final = (
    f"{READ_COLUMNS}, watched, CASE WHEN lease_owner IS NULL THEN next_poll_at ELSE due_at END"
)
# a page of those watched, the last registered first
_WATCHED: Final = text(
    f"SELECT {_BATCH_COLUMNS} FROM batches WHERE watched AND id < :before"
    " ORDER BY id DESC LIMIT :limit"
)


# a page of those with which something may be the matter
_SUSPECT: Final = text(
    f"SELECT {_BATCH_COLUMNS} FROM batches WHERE watched AND id < :before"
    " AND (failures IS NOT NULL OR stalled_at IS NOT NULL OR overdue_at IS NOT NULL"
    " OR source NOT IN :sources) ORDER BY id DESC LIMIT :limit"
).bindparams(bindparam("sources", expanding=True))


async def watched_batches(database: Database) -> AsyncIterator[BatchView]:
    """Yield the batches that are watched, the last registered first."""
    async for page in pages(database, _WATCHED, _place_of, before=NEWEST):
        for row in page:
            yield _batch_of(row)


async def suspect_batches(database: Database, sources: Iterable[str]) -> AsyncIterator[BatchView]:
    """Yield those whose polls fail, that stalled or were overdue, or are of none of the sources."""
    # Postgres does not know the type of an empty list
    values = {"before": NEWEST, "sources": [*sources, ""]}
    async for page in pages(database, _SUSPECT, _place_of, **values):
        for row in page:
            yield _batch_of(row)


def _place_of(last: Any) -> dict[str, Any]:
    return {"before": last.id}


# one batch, however its id is written
_BATCH: Final = text(
    f"SELECT {_BATCH_COLUMNS} FROM batches WHERE source = :source AND identity = :identity"
)


@reading
def read_batch(connection: Connection, source: str, batch_id: str) -> BatchView | None:
    """Return a batch, removed or not, however its id is written; none if never registered."""
    found = connection.execute(_BATCH, {"source": source, "identity": identity_of(batch_id)})
    row = found.one_or_none()
    return None if row is None else _batch_of(row)


def _batch_of(row: Sequence[Any]) -> BatchView:
    *_, watched, next_poll_at = row
    return BatchView(
        watch=watch_of(row), watched=bool(watched), next_poll_at=from_milliseconds(next_poll_at)
    )


# any one, by the index of ids
_OF_SOURCE: Final = text(
    "SELECT 1 FROM batches WHERE source = :source ORDER BY external_id LIMIT 1"
)


@reading
def has_batches(connection: Connection, source: str) -> bool:
    """Return whether any batch of a source was ever registered."""
    return connection.execute(_OF_SOURCE, {"source": source}).first() is not None


# by the beginning of an id as it is shown, or as other notations of a UUID have it
_BEGINNING: Final = text(
    "SELECT external_id FROM batches WHERE source = :source AND"
    " (substr(external_id, 1, :length) = :prefix"
    " OR substr(identity, 1, :bare_length) = :bare)"
    " ORDER BY external_id LIMIT :limit"
)


@reading
def ids_beginning(connection: Connection, source: str, prefix: str, *, limit: int) -> list[str]:
    """Return ids of a source's batches, removed or not, that begin so, in their order."""
    bare = prefix.replace("-", "").lower() if _HEX.fullmatch(prefix) else prefix
    lengths = {"length": len(prefix), "bare_length": len(bare), "limit": limit}
    values = {"source": source, "prefix": prefix, "bare": bare, **lengths}
    return list(connection.execute(_BEGINNING, values).scalars().all())


# of some beginnings, those that several ids of a source share
_SHARED: Final = text(
    "SELECT head FROM (SELECT substr(external_id, 1, :length) AS head FROM batches"
    " WHERE source = :source) AS heads WHERE head IN :heads GROUP BY head HAVING count(*) > 1"
).bindparams(bindparam("heads", expanding=True))


@reading
def shared_beginnings(
    connection: Connection, source: str, ids: Collection[str], *, length: int
) -> set[str]:
    """Return which beginnings of this length several of a source's batches share."""
    values = {"source": source, "length": length, "heads": [id_[:length] for id_ in ids]}
    return set(connection.execute(_SHARED, values).scalars())


# which of some batches were ever registered
_AMONG: Final = Statement(
    "SELECT r.identity, batches.watched FROM batches JOIN {rows}"
    " ON batches.source = r.source AND batches.identity = r.identity",
    rows="source text, identity text",
)


@reading
def registered_among(connection: Connection, source: str, ids: Sequence[str]) -> dict[str, bool]:
    """Return the identities of those that were ever registered, and whether they are watched."""
    rows = ({"source": source, "identity": identity_of(id_)} for id_ in ids)
    return {identity: bool(watched) for identity, watched in _AMONG.run(connection, rows=rows)}


_SNAPSHOT: Final = Fields(
    Field.number("number"),
    Field.time("at"),
    Field.text("status"),
    Field.word(Phase, "phase"),
    Field("counts", load=json.loads),
    Field.number("open_calls"),
    Field.number("total_contacts"),
    Field.number("valid_contacts"),
)
# the newest of one batch
_SNAPSHOTS: Final = text(
    f"SELECT {_SNAPSHOT.columns} FROM snapshots WHERE batch = :batch"
    " ORDER BY number DESC LIMIT :limit"
)


@reading
def newest_snapshots(connection: Connection, batch_row: int, *, limit: int) -> list[SnapshotView]:
    """Return a batch's snapshots, the newest first."""
    rows = connection.execute(_SNAPSHOTS, {"batch": batch_row, "limit": limit})
    return [SnapshotView(**_SNAPSHOT.load(row)) for row in rows]
