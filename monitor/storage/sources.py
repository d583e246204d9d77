"""Sources as rows: registration, health and the token bucket that claims draw from."""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from monitor.core.errors import FailureKind
from monitor.core.source import Health, StreakKind
from monitor.storage.database import reading, writing
from monitor.storage.times import from_milliseconds, milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """Hold a source as stored; `version` moves with its health."""

    row: int
    name: str
    provider: str
    key: str
    health: Health
    version: int
    blocked_until: datetime | None
    tokens: float
    tokens_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRecord:
    """Hold a source's new health, to be written if nobody else moved it since `version`."""

    row: int
    version: int
    health: Health
    blocked_until: datetime | None


_COLUMNS = "id, name, provider, key, health, version, blocked_until, tokens, tokens_at"


@writing
def register_sources(connection: Connection, providers: Mapping[str, str]) -> dict[str, SourceRow]:
    """Make sure that every configured source (name -> provider) has a row; return them by name."""
    for name, provider in providers.items():
        connection.execute(
            text(
                "INSERT INTO sources (name, provider, key, tokens, tokens_at)"
                " VALUES (:name, :provider, :key, 0, 0)"
                " ON CONFLICT (name) DO UPDATE SET provider = excluded.provider"
            ),
            {"name": name, "provider": provider, "key": secrets.token_hex(16)},
        )
    result = connection.execute(text(f"SELECT {_COLUMNS} FROM sources"))  # noqa: S608 (ours)
    found = (source_of(row) for row in result)
    return {source.name: source for source in found if source.name in providers}


@writing
def note_listed(connection: Connection, row: int, *, now: datetime) -> None:
    """Note that a source's lists were read to their end, unless that was noted before."""
    connection.execute(
        text("UPDATE sources SET listed_at = :now WHERE id = :row AND listed_at IS NULL"),
        {"row": row, "now": milliseconds(now)},
    )


def lock_source(connection: Connection, row: int) -> SourceRow:
    """Read a source inside a unit of work, keeping it from others until the end."""
    lock = "" if connection.dialect.name == "sqlite" else " FOR UPDATE"
    return _read(connection, row, lock)


def record_source(connection: Connection, record: SourceRecord) -> bool:
    """Write a source's health; return False, writing nothing, if it moved since it was read."""
    result = connection.execute(
        text(
            "UPDATE sources SET health = :health, blocked_until = :blocked_until,"
            " version = version + 1 WHERE id = :row AND version = :version"
        ),
        {
            "row": record.row,
            "version": record.version,
            "health": _health_column(record.health),
            "blocked_until": milliseconds(record.blocked_until),
        },
    )
    return bool(result.rowcount)


@reading
def read_source(connection: Connection, row: int) -> SourceRow:
    """Read a source as it stands now."""
    return _read(connection, row)


@reading
def all_sources(connection: Connection) -> dict[str, SourceRow]:
    """Return every source that was ever configured, by name."""
    result = connection.execute(text(f"SELECT {_COLUMNS} FROM sources ORDER BY name"))  # noqa: S608 (ours)
    return {source.name: source for source in map(source_of, result)}


def _read(connection: Connection, row: int, lock: str = "") -> SourceRow:
    statement = text(f"SELECT {_COLUMNS} FROM sources WHERE id = :row{lock}")  # noqa: S608 (ours)
    return source_of(connection.execute(statement, {"row": row}).one())


def source_of(row: Sequence[Any]) -> SourceRow:
    """Build a source from the columns in _COLUMNS."""
    return SourceRow(
        row=row[0],
        name=row[1],
        provider=row[2],
        key=row[3],
        health=_health_of(row[4]),
        version=row[5],
        blocked_until=from_milliseconds(row[6]),
        tokens=row[7],
        tokens_at=from_milliseconds(row[8]),
    )


def _health_column(health: Health) -> str:
    return json.dumps(
        {
            "sequence": health.sequence,
            "failing_since": milliseconds(health.failing_since),
            "kind": health.kind,
            "status_code": health.status_code,
            "recovered_at": milliseconds(health.recovered_at),
            "row_kind": health.streak_kind,
            "row_number": health.streak_number,
            "row_polls": health.streak_polls,
            "row_since": milliseconds(health.streak_since),
            "row_batches": health.streak_batches,
            "suspected": health.suspected,
            "failed_row": health.failed_streak,
            "put_off": health.put_off,
        }
    )


def _health_of(text_: str) -> Health:
    stored = json.loads(text_)
    if not stored:
        return Health()
    return Health(
        sequence=stored["sequence"],
        failing_since=from_milliseconds(stored["failing_since"]),
        kind=None if stored["kind"] is None else FailureKind(stored["kind"]),
        status_code=stored["status_code"],
        recovered_at=from_milliseconds(stored["recovered_at"]),
        streak_kind=None if stored["row_kind"] is None else StreakKind(stored["row_kind"]),
        streak_number=stored["row_number"],
        streak_polls=stored["row_polls"],
        streak_since=from_milliseconds(stored["row_since"]),
        streak_batches=tuple(stored["row_batches"]),
        suspected=stored["suspected"],
        failed_streak=stored["failed_row"],
        put_off=stored.get("put_off", 0),  # unknown to older versions
    )
