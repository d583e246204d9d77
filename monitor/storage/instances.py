"""Instances: when each daemon last said that it is alive."""

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from monitor.storage.database import reading, writing
from monitor.storage.sql import from_milliseconds, milliseconds

# one, known or new
_SEEN: Final = text(
    "INSERT INTO instances (name, seen_at) VALUES (:name, :now)"
    " ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at"
)


@writing
def touch_instance(connection: Connection, name: str, *, now: datetime) -> None:
    """Say that an instance is alive; this is also the proof that the database takes writes."""
    connection.execute(_SEEN, {"name": name, "now": milliseconds(now)})


# one that has ended
_GONE: Final = text("DELETE FROM instances WHERE name = :name")


@writing
def forget_instance(connection: Connection, name: str) -> None:
    """Say that an instance has ended."""
    connection.execute(_GONE, {"name": name})


# all that have not ended
_ALL: Final = text("SELECT name, seen_at FROM instances ORDER BY name")


@reading
def daemons_seen(connection: Connection) -> dict[str, datetime]:
    """Return when each daemon that has not ended said last that it is alive, by name."""
    return {name: from_milliseconds(at) for name, at in connection.execute(_ALL)}


# the one that spoke last
_LAST: Final = text("SELECT max(seen_at) FROM instances")


@reading
def daemon_seen_at(connection: Connection) -> datetime | None:
    """Return when a daemon last said, as each does once a minute, that it is alive."""
    seen_at: int | None = connection.execute(_LAST).scalar_one()
    return from_milliseconds(seen_at)
