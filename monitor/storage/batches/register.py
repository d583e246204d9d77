"""The register of batches: what is watched, and on whose word."""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, text

from monitor.core.batch import Origin
from monitor.core.batch_id import identity_of
from monitor.storage.batches.identify import identify_batches
from monitor.storage.batches.row import KNOWN
from monitor.storage.database import Database, fetch, reading, writing
from monitor.storage.sql import Statement, chunks, encode_rows, milliseconds

_CHUNK: Final = 5000
_WANTED: Final = "source text, external_id text, identity text, key text, name text, labels text"
_NAMED: Final = "source text, identity text"
_SAME: Final = "batches.source = r.source AND batches.identity = r.identity"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """The wish to watch one batch; a name or labels left out stay as they were."""

    source: str
    id: str
    name: str | None = None
    labels: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationCounts:
    """How many batches a registration met, by what became of them."""

    new: int = 0
    again: int = 0
    """Watched once, removed, and now watched from a new first reading on."""
    woken: int = 0
    """Forgotten, and now polled again."""
    known: int = 0

    def __add__(self, other: "RegistrationCounts") -> "RegistrationCounts":
        return RegistrationCounts(
            **{name: number + getattr(other, name) for name, number in asdict(self).items()}
        )


async def register_batches(
    database: Database,
    wanted: Sequence[Registration],
    *,
    origin: Origin,
    now: datetime,
    wake: bool = True,
) -> RegistrationCounts:
    """Watch batches; those already watched go on undisturbed. 100,000 take seconds.

    A batch that was removed starts again from a new first reading, with its sequence going on.
    `wake` also polls those again that were forgotten.
    """
    total = RegistrationCounts()
    for chunk in chunks(wanted, _CHUNK):
        total += await _register_some(database, chunk, origin, now=now, wake=wake)
    return total


async def discover_batches(
    database: Database, source: str, ids: Sequence[str], *, now: datetime
) -> int:
    """Watch those batches that were never registered; return how many. All others stay as they are.

    One that was removed stays removed: whoever found it knows nothing of that. One that was never
    read takes the provider's own notation of its id.
    """
    new = 0
    for chunk in chunks(ids, _CHUNK):
        found = [Registration(source=source, id=id_) for id_ in chunk]
        kept = await _kept_as_written(database, found)
        others = [item for item in found if item.id not in kept]
        if others:
            new += await _insert_found(database, others, now=now)
    return new


async def unregister_batches(database: Database, source: str, ids: Sequence[str]) -> set[str]:
    """Stop watching batches; the rows stay. Return the identities of those that were watched."""
    removed: set[str] = set()
    for chunk in chunks(ids, _CHUNK):
        removed |= await _remove_some(database, source, chunk)
    return removed


# what the file declared before, by the index of it
_FROM_FILE: Final = text(
    "SELECT source, identity FROM batches"
    " WHERE origin = 'file' AND watched AND identity IS NOT NULL"
)


async def declare_batches(
    database: Database, declared: Sequence[Registration], *, now: datetime
) -> RegistrationCounts:
    """Watch what the config file declares, and no longer what it declared before and not now."""
    await identify_batches(database)
    registered = await register_batches(database, declared, origin=Origin.FILE, now=now, wake=False)
    keep = {(item.source, identity_of(item.id)) for item in declared}
    before = await fetch(database, _FROM_FILE)
    gone = {(source, identity) for source, identity in before} - keep
    for source in {source for source, _ in gone}:
        await unregister_batches(database, source, [id_ for name, id_ in gone if name == source])
    return registered


# the rows of these batches, in row order
_LOCK: Final = Statement(
    f"SELECT batches.id FROM batches JOIN {{rows}} ON {_SAME}"
    " ORDER BY batches.id FOR UPDATE OF batches",
    rows=_NAMED,
)


def _lock(connection: Connection, rows: str) -> None:
    """Lock in row order on Postgres, as the writer does: else the two wait for each other."""
    if connection.dialect.name == "postgresql":
        _LOCK.run(connection, rows=rows)


# ids as they are given now, as long as nobody has read their batches: a provider may know its ids
# in one notation only. CASE, because without statistics, as right after a first registration or a
# restore, Postgres takes a bare IS NULL for one row of all, and then compares all with all
_RESPELL: Final = Statement(
    "UPDATE batches SET external_id = r.external_id"
    f" FROM {{rows}} WHERE {_SAME} AND CASE WHEN batches.observed_at IS NULL"
    " THEN batches.external_id <> r.external_id ELSE FALSE END",
    rows=_WANTED,
)
# those that nobody registered before; SQLite needs the WHERE, or it takes ON CONFLICT for a join
_INSERT: Final = Statement(
    "INSERT INTO batches (source, external_id, identity, key, origin, labels, name, watched,"
    " registered_at, next_poll_at, found_first) SELECT r.source, r.external_id, r.identity,"
    " r.key, :origin, COALESCE(r.labels, '{}'), r.name, TRUE, :now, :now,"
    " CAST(:found AS boolean)"
    " AND (SELECT listed_at IS NULL FROM sources WHERE sources.name = r.source)"
    " FROM {rows} WHERE TRUE ON CONFLICT DO NOTHING RETURNING id",
    rows=_WANTED,
)
_FORGOTTEN: Final = ("observed_at", "failures", *(field.column for field in KNOWN))
# those that were removed: from a new first reading on
_AGAIN: Final = Statement(
    "UPDATE batches SET watched = TRUE, origin = :origin, registered_at = :now,"
    f" next_poll_at = :now, found_first = FALSE, {', '.join(f'{n} = NULL' for n in _FORGOTTEN)}"
    f" FROM {{rows}} WHERE {_SAME} AND NOT batches.watched RETURNING batches.id",
    rows=_WANTED,
)
# those that were forgotten; CASE as above
_AWAKEN: Final = Statement(
    "UPDATE batches SET next_poll_at = :now, registered_at = :now"
    f" FROM {{rows}} WHERE {_SAME}"
    " AND CASE WHEN batches.watched THEN batches.next_poll_at IS NULL ELSE FALSE END"
    " RETURNING batches.id",
    rows=_WANTED,
)
# names and labels: of the file's batches a name goes when the file names it no more
_DESCRIBE: Final = Statement(
    "UPDATE batches SET labels = COALESCE(r.labels, batches.labels),"
    " name = CASE WHEN CAST(:origin AS text) = 'file' THEN r.name"
    f" ELSE COALESCE(r.name, batches.name) END FROM {{rows}} WHERE {_SAME}"
    " AND (r.labels IS NOT NULL OR r.name IS NOT NULL)",
    rows=_WANTED,
)


@writing
def _register_some(
    connection: Connection,
    chunk: Sequence[Registration],
    origin: Origin,
    *,
    now: datetime,
    wake: bool,
) -> RegistrationCounts:
    rows = encode_rows(map(_row, chunk))
    values: dict[str, Any] = {"rows": rows, "origin": origin.value, "now": milliseconds(now)}
    _lock(connection, rows)
    _RESPELL.run(connection, **values)
    new = len(_INSERT.run(connection, **values, found=False).all())
    again = len(_AGAIN.run(connection, **values).all())
    woken = len(_AWAKEN.run(connection, **values).all()) if wake else 0
    _DESCRIBE.run(connection, **values)
    return RegistrationCounts(
        new=new, again=again, woken=woken, known=len(chunk) - new - again - woken
    )


@writing
def _insert_found(connection: Connection, found: Sequence[Registration], *, now: datetime) -> int:
    rows = encode_rows(map(_row, found))
    _lock(connection, rows)
    _RESPELL.run(connection, rows=rows)
    origin = Origin.DISCOVERED.value
    inserted = _INSERT.run(connection, rows=rows, origin=origin, now=milliseconds(now), found=True)
    return len(inserted.all())


# ids that stay as they are written; only reads, for most of what is discovered is known
_KEPT: Final = Statement(
    f"SELECT r.external_id FROM batches JOIN {{rows}} ON {_SAME}"
    " WHERE batches.external_id = r.external_id OR batches.observed_at IS NOT NULL",
    rows=_WANTED,
)


@reading
def _kept_as_written(connection: Connection, found: Sequence[Registration]) -> set[str]:
    """Return those of the ids that are registered, and stay as they are written."""
    return {*_KEPT.run(connection, rows=map(_row, found)).scalars()}


# the claim ends too: a poll that is under way comes too late
_REMOVE: Final = Statement(
    "UPDATE batches SET watched = FALSE, next_poll_at = NULL, due_at = NULL,"
    f" lease_owner = NULL, epoch = epoch + 1 FROM {{rows}} WHERE {_SAME} AND batches.watched"
    " RETURNING batches.identity",
    rows=_NAMED,
)


@writing
def _remove_some(connection: Connection, source: str, ids: Sequence[str]) -> set[str]:
    rows = encode_rows({"source": source, "identity": identity_of(id_)} for id_ in ids)
    _lock(connection, rows)
    return {*_REMOVE.run(connection, rows=rows).scalars()}


def _row(item: Registration) -> dict[str, Any]:
    return {
        "source": item.source,
        "external_id": item.id,
        "identity": identity_of(item.id),
        "key": secrets.token_hex(16),
        "name": item.name,
        "labels": None if item.labels is None else json.dumps(dict(item.labels)),
    }
