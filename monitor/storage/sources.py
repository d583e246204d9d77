"""Sources as rows: registration, health and the token bucket that claims draw from."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from monitor.core.failure import FailureKind
from monitor.core.source import Health, StreakKind
from monitor.storage.database import reading, writing
from monitor.storage.deliveries.outbox import RoutedEvent
from monitor.storage.fields import Field, Fields
from monitor.storage.sql import Statement, milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """A source as stored; `version` moves with its health."""

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
    """A source's new health, to be written if nobody else moved it since `version`."""

    row: int
    version: int
    health: Health
    blocked_until: datetime | None
    owed: tuple[RoutedEvent, ...] = ()
    """What is to be told of it: `record` stores it with the health, `record_source` none of it."""


_HEALTH: Final = Fields(
    Field.number("sequence"),
    Field.time("failing_since"),
    Field.word(FailureKind, "kind"),
    Field.number("status_code"),
    Field.time("recovered_at"),
    Field.word(StreakKind, "row_kind", "streak_kind"),
    Field.number("row_number", "streak_number"),
    Field.number("row_polls", "streak_polls"),
    Field.time("row_since", "streak_since"),
    Field("row_batches", "streak_batches", load=tuple),
    Field("suspected"),
    Field.number("failed_row", "failed_streak"),
    Field.number("put_off", null=0),  # unknown to older versions
)
"""By the keys of its JSON."""


def _health_of(stored: str) -> Health:
    return Health() if stored == "{}" else Health(**_HEALTH.load_json(stored))


_SOURCE: Final = Fields(
    Field.number("id", "row"),
    Field.text("name"),
    Field.text("provider"),
    Field.text("key"),
    Field("health", load=_health_of),
    Field.number("version"),
    Field.time("blocked_until"),
    Field("tokens"),
    Field.time("tokens_at"),
)
# one source; the config may name another provider than before
_REGISTER: Final = text(
    "INSERT INTO sources (name, provider, key, tokens, tokens_at)"
    " VALUES (:name, :provider, :key, 0, 0)"
    " ON CONFLICT (name) DO UPDATE SET provider = excluded.provider"
)
# every source that ever was configured
_ALL: Final = text(f"SELECT {_SOURCE.columns} FROM sources ORDER BY name")


@writing
def register_sources(connection: Connection, providers: Mapping[str, str]) -> dict[str, SourceRow]:
    """Make sure that every configured source (name -> provider) has a row; return them by name."""
    for name, provider in providers.items():
        values = {"name": name, "provider": provider, "key": secrets.token_hex(16)}
        connection.execute(_REGISTER, values)
    found = _sources(connection)
    return {name: source for name, source in found.items() if name in providers}


@reading
def all_sources(connection: Connection) -> dict[str, SourceRow]:
    """Return every source that was ever configured, by name."""
    return _sources(connection)


def _sources(connection: Connection) -> dict[str, SourceRow]:
    sources = (SourceRow(**_SOURCE.load(row)) for row in connection.execute(_ALL))
    return {source.name: source for source in sources}


# one, as it stands now
_READ: Final = Statement(f"SELECT {_SOURCE.columns} FROM sources WHERE id = :row")


@reading
def read_source(connection: Connection, row: int) -> SourceRow:
    """Read a source as it stands now."""
    return _read(connection, _READ, row)


# one, kept from others until the commit; on SQLite BEGIN IMMEDIATE has done so
_LOCK: Final = Statement(
    f"SELECT {_SOURCE.columns} FROM sources WHERE id = :row{{lock}}", lock=" FOR UPDATE"
)


def lock_source(connection: Connection, row: int) -> SourceRow:
    """Read a source inside a unit of work, keeping it from others until the end."""
    return _read(connection, _LOCK, row)


def _read(connection: Connection, select: Statement, row: int) -> SourceRow:
    return SourceRow(**_SOURCE.load(select.run(connection, row=row).one()))


# compare and set: of two daemons that judged by the same health, the second one judges again
_RECORD: Final = text(
    "UPDATE sources SET health = :health, blocked_until = :blocked_until,"
    " version = version + 1 WHERE id = :row AND version = :version"
)


def record_source(connection: Connection, record: SourceRecord) -> bool:
    """Write a source's health; return False, writing nothing, if it moved since it was read."""
    result = connection.execute(
        _RECORD,
        {
            "row": record.row,
            "version": record.version,
            "health": _HEALTH.dump_json(record.health),
            "blocked_until": milliseconds(record.blocked_until),
        },
    )
    return bool(result.rowcount)


# the end of the first complete round of discovery
_LISTED: Final = text("UPDATE sources SET listed_at = :now WHERE id = :row AND listed_at IS NULL")


@writing
def note_listed(connection: Connection, row: int, *, now: datetime) -> None:
    """Note that a source's lists were read to their end, unless that was noted before."""
    connection.execute(_LISTED, {"row": row, "now": milliseconds(now)})
