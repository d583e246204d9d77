"""The register of batches: what is watched, and on whose word."""

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, text

from monitor.core.batch import Origin
from monitor.core.batch_id import identity_of
from monitor.storage.batches.identify import identify_batches
from monitor.storage.batches.row import KNOWN_COLUMNS
from monitor.storage.database import Database, reading, writing
from monitor.storage.rows import DIALECTS, encode_rows, rows_of
from monitor.storage.times import milliseconds

T = TypeVar("T")
_CHUNK: Final = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """Ask for one batch to be watched; a name or labels left out stay as they were."""

    source: str
    id: str
    name: str | None = None
    labels: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationCounts:
    """Count what registering did."""

    new: int = 0
    again: int = 0
    """Watched once, removed, and now watched from a new first reading on."""
    woken: int = 0
    """Forgotten, and now polled again."""
    known: int = 0


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
    for chunk in _chunks(wanted):
        total = _sum(total, await _register_some(database, chunk, origin, now=now, wake=wake))
    return total


async def discover_batches(
    database: Database, source: str, ids: Sequence[str], *, now: datetime
) -> int:
    """Watch those batches that were never registered; return how many. All others stay as they are.

    One that was removed stays removed: whoever found it knows nothing of that. One that was never
    read takes the provider's own notation of its id.
    """
    new = 0
    for chunk in _chunks(ids):
        found = [Registration(source=source, id=id_) for id_ in chunk]
        kept = await _kept_as_written(database, found)
        others = [item for item in found if item.id not in kept]
        if others:
            new += await _insert_found(database, others, now=now)
    return new


async def unregister_batches(database: Database, source: str, ids: Sequence[str]) -> set[str]:
    """Stop watching batches; the rows stay. Return the identities of those that were watched."""
    removed: set[str] = set()
    for chunk in _chunks(ids):
        removed |= await _remove_some(database, source, chunk)
    return removed


async def declare_batches(
    database: Database, declared: Sequence[Registration], *, now: datetime
) -> RegistrationCounts:
    """Watch what the config file declares, and no longer what it declared before and not now."""
    await identify_batches(database)
    registered = await register_batches(database, declared, origin=Origin.FILE, now=now, wake=False)
    keep = {(item.source, identity_of(item.id)) for item in declared}
    gone = await _from_file(database) - keep
    for source in {source for source, _ in gone}:
        await unregister_batches(database, source, [id_ for name, id_ in gone if name == source])
    return registered


@writing
def _register_some(
    connection: Connection,
    chunk: Sequence[Registration],
    origin: Origin,
    *,
    now: datetime,
    wake: bool,
) -> RegistrationCounts:
    rows = encode_rows([_row(item) for item in chunk])
    values = {"rows": rows, "origin": origin.value, "now": milliseconds(now)}
    plain = {"rows": rows}
    dialect = connection.dialect.name
    _lock(connection, rows)
    connection.execute(_RESPELL[dialect], plain)
    new = _count(connection, _INSERT[dialect], {**values, "found": False})
    again = _count(connection, _AGAIN[dialect], values)
    woken = 0
    if wake:
        woken = _count(connection, _AWAKEN[dialect], {**plain, "now": milliseconds(now)})
    connection.execute(_DESCRIBE[dialect], {**plain, "origin": origin.value})
    return RegistrationCounts(
        new=new, again=again, woken=woken, known=len(chunk) - new - again - woken
    )


@reading
def _kept_as_written(connection: Connection, found: Sequence[Registration]) -> set[str]:
    """Return those of the ids that are registered, and stay as they are written."""
    rows = encode_rows([_row(item) for item in found])
    known = connection.execute(_KEPT[connection.dialect.name], {"rows": rows})
    return {row[0] for row in known}


@writing
def _insert_found(connection: Connection, found: Sequence[Registration], *, now: datetime) -> int:
    rows = encode_rows([_row(item) for item in found])
    _lock(connection, rows)
    connection.execute(_RESPELL[connection.dialect.name], {"rows": rows})
    origin = Origin.DISCOVERED.value
    values = {"rows": rows, "origin": origin, "now": milliseconds(now), "found": True}
    return _count(connection, _INSERT[connection.dialect.name], values)


@writing
def _remove_some(connection: Connection, source: str, ids: Sequence[str]) -> set[str]:
    rows = encode_rows([{"source": source, "identity": identity_of(id_)} for id_ in ids])
    _lock(connection, rows)
    found = connection.execute(_REMOVE[connection.dialect.name], {"rows": rows})
    return {row[0] for row in found}


@reading
def _from_file(connection: Connection) -> set[tuple[str, str]]:
    rows = connection.execute(_FROM_FILE)
    return {(row[0], row[1]) for row in rows}


def _lock(connection: Connection, rows: str) -> None:
    """Lock in row order on Postgres, as the writer does: else the two wait for each other."""
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK, {"rows": rows})


def _count(connection: Connection, statement: Any, values: dict[str, Any]) -> int:
    result = connection.execute(statement, values)
    return len(result.all())


def _row(item: Registration) -> dict[str, Any]:
    return {
        "source": item.source,
        "external_id": item.id,
        "identity": identity_of(item.id),
        "key": secrets.token_hex(16),
        "name": item.name,
        "labels": None if item.labels is None else json.dumps(dict(item.labels)),
    }


def _sum(first: RegistrationCounts, second: RegistrationCounts) -> RegistrationCounts:
    return RegistrationCounts(
        new=first.new + second.new,
        again=first.again + second.again,
        woken=first.woken + second.woken,
        known=first.known + second.known,
    )


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]


_WANTED: Final = {
    "source": "text",
    "external_id": "text",
    "identity": "text",
    "key": "text",
    "name": "text",
    "labels": "text",
}
_SAME: Final = "batches.source = r.source AND batches.identity = r.identity"


def _insert_statement(dialect: str) -> Any:
    # SQLite needs the WHERE, or it takes ON CONFLICT for a join
    return text(
        "INSERT INTO batches (source, external_id, identity, key, origin, labels, name, watched,"  # noqa: S608 (ours)
        " registered_at, next_poll_at, found_first) SELECT r.source, r.external_id, r.identity,"
        " r.key, :origin, COALESCE(r.labels, '{}'), r.name, TRUE, :now, :now,"
        " CAST(:found AS boolean)"
        " AND (SELECT listed_at IS NULL FROM sources WHERE sources.name = r.source)"
        f" FROM {rows_of(dialect, _WANTED)} WHERE TRUE"
        " ON CONFLICT DO NOTHING RETURNING id"
    )


def _kept_statement(dialect: str) -> Any:
    return text(
        "SELECT r.external_id FROM batches JOIN"  # noqa: S608 (ours)
        f" {rows_of(dialect, _WANTED)} ON {_SAME}"
        " WHERE batches.external_id = r.external_id OR batches.observed_at IS NOT NULL"
    )


def _respell_statement(dialect: str) -> Any:
    """Write ids anew as they are given now, as long as nobody has read their batches.

    A provider may know its ids in one notation only.
    """
    return text(
        "UPDATE batches SET external_id = r.external_id"  # noqa: S608 (ours)
        f" FROM {rows_of(dialect, _WANTED)} WHERE {_SAME} AND batches.observed_at IS NULL"
        " AND batches.external_id <> r.external_id"
    )


def _again_statement(dialect: str) -> Any:
    forgotten = ", ".join(f"{name} = NULL" for name in ("observed_at", "failures", *KNOWN_COLUMNS))
    return text(
        "UPDATE batches SET watched = TRUE, origin = :origin, registered_at = :now,"  # noqa: S608 (ours)
        f" next_poll_at = :now, found_first = FALSE, {forgotten} FROM {rows_of(dialect, _WANTED)}"
        f" WHERE {_SAME} AND NOT batches.watched RETURNING batches.id"
    )


def _awaken_statement(dialect: str) -> Any:
    return text(
        "UPDATE batches SET next_poll_at = :now, registered_at = :now"  # noqa: S608 (ours)
        f" FROM {rows_of(dialect, _WANTED)} WHERE {_SAME}"
        " AND batches.watched AND batches.next_poll_at IS NULL"
        " RETURNING batches.id"
    )


def _describe_statement(dialect: str) -> Any:
    return text(
        "UPDATE batches SET labels = COALESCE(r.labels, batches.labels),"  # noqa: S608 (ours)
        " name = CASE WHEN CAST(:origin AS text) = 'file' THEN r.name"
        f" ELSE COALESCE(r.name, batches.name) END FROM {rows_of(dialect, _WANTED)} WHERE {_SAME}"
        " AND (r.labels IS NOT NULL OR r.name IS NOT NULL)"
    )


def _remove_statement(dialect: str) -> Any:
    wanted = {"source": "text", "identity": "text"}
    return text(
        "UPDATE batches SET watched = FALSE, next_poll_at = NULL, due_at = NULL,"  # noqa: S608 (ours)
        f" lease_owner = NULL, epoch = epoch + 1 FROM {rows_of(dialect, wanted)}"
        f" WHERE {_SAME} AND batches.watched RETURNING batches.identity"
    )


_LOCK: Final = text(
    "SELECT batches.id FROM batches JOIN"  # noqa: S608 (ours)
    f" {rows_of('postgresql', {'source': 'text', 'identity': 'text'})} ON {_SAME}"
    " ORDER BY batches.id FOR UPDATE OF batches"
)
_INSERT: Final = {dialect: _insert_statement(dialect) for dialect in DIALECTS}
_KEPT: Final = {dialect: _kept_statement(dialect) for dialect in DIALECTS}
_RESPELL: Final = {dialect: _respell_statement(dialect) for dialect in DIALECTS}
_AGAIN: Final = {dialect: _again_statement(dialect) for dialect in DIALECTS}
_AWAKEN: Final = {dialect: _awaken_statement(dialect) for dialect in DIALECTS}
_DESCRIBE: Final = {dialect: _describe_statement(dialect) for dialect in DIALECTS}
_REMOVE: Final = {dialect: _remove_statement(dialect) for dialect in DIALECTS}
_FROM_FILE: Final = text(
    "SELECT source, identity FROM batches"
    " WHERE origin = 'file' AND watched AND identity IS NOT NULL"
)
