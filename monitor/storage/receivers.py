"""Receivers as rows: registration, and the hold of one that failed as a whole."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from monitor.core.pause import Hold
from monitor.storage.database import reading, writing
from monitor.storage.sql import from_milliseconds, milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverRow:
    """A receiver as stored."""

    row: int
    name: str
    key: str
    sequence: int
    hold: Hold | None


# one, unless it is known
_REGISTER: Final = text(
    "INSERT INTO receivers (name, key) VALUES (:name, :key) ON CONFLICT (name) DO NOTHING"
)


@writing
def register_receivers(connection: Connection, names: Iterable[str]) -> dict[str, ReceiverRow]:
    """Make sure that every configured receiver has a row; return them by name."""
    wanted = set(names)
    for name in sorted(wanted):
        connection.execute(_REGISTER, {"name": name, "key": secrets.token_hex(16)})
    return {name: receiver for name, receiver in _all(connection).items() if name in wanted}


@reading
def read_holds(connection: Connection) -> dict[str, Hold | None]:
    """Return the hold of every receiver, as it stands in the database."""
    return {name: receiver.hold for name, receiver in _all(connection).items()}


# every receiver that ever was configured
_ALL: Final = text(
    "SELECT id, name, key, sequence, held_since, held_until, hold_step FROM receivers"
)


def _all(connection: Connection) -> dict[str, ReceiverRow]:
    return {
        name: ReceiverRow(row=row, name=name, key=key, sequence=sequence, hold=_hold_of(*hold))
        for row, name, key, sequence, *hold in connection.execute(_ALL)
    }


def _hold_of(since: int, until: int | None, step: int) -> Hold | None:
    if until is None:
        return None
    return Hold(since=from_milliseconds(since), until=from_milliseconds(until), step=step)


# their names alone
RECEIVER_NAMES: Final = text("SELECT name FROM receivers ORDER BY name")


@reading
def known_receivers(connection: Connection) -> list[str]:
    """Return the names of all receivers that ever were configured."""
    return list(connection.execute(RECEIVER_NAMES).scalars().all())


# a hold, or none
_HOLD: Final = text(
    "UPDATE receivers SET held_since = :since, held_until = :until, hold_step = :step"
    " WHERE name = :receiver"
)


@writing
def hold_receiver(connection: Connection, receiver: str, hold: Hold) -> None:
    """Pause a receiver as a whole."""
    values = {"since": milliseconds(hold.since), "until": milliseconds(hold.until)}
    connection.execute(_HOLD, {"receiver": receiver, **values, "step": hold.step})


# what waits for its next try; what is being sent plans its own
_WAKE: Final = text(
    "UPDATE deliveries SET due_at = :now WHERE receiver = :receiver AND state = 'pending'"
    " AND due_at > :now AND lease_owner IS NULL"
)


@writing
def lift_hold(connection: Connection, receiver: str, *, now: datetime) -> None:
    """End a receiver's pause and make everything that waits for it due."""
    connection.execute(_HOLD, {"receiver": receiver, "since": None, "until": None, "step": None})
    connection.execute(_WAKE, {"receiver": receiver, "now": milliseconds(now)})
