"""Receivers as rows: registration, and the hold of one that failed as a whole."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, text

from monitor.core.delivery import Hold
from monitor.storage.database import reading, writing
from monitor.storage.times import from_milliseconds, milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverRow:
    """Hold a receiver as stored."""

    row: int
    name: str
    key: str
    sequence: int
    hold: Hold | None


@writing
def register_receivers(connection: Connection, names: Iterable[str]) -> dict[str, ReceiverRow]:
    """Make sure that every configured receiver has a row; return them by name."""
    wanted = set(names)
    for name in sorted(wanted):
        connection.execute(_REGISTER, {"name": name, "key": secrets.token_hex(16)})
    found = connection.execute(_READ)
    rows = (
        ReceiverRow(
            row=row[0],
            name=row[1],
            key=row[2],
            sequence=row[3],
            hold=_hold_of(row),
        )
        for row in found
    )
    return {receiver.name: receiver for receiver in rows if receiver.name in wanted}


@reading
def read_holds(connection: Connection) -> dict[str, Hold | None]:
    """Return the hold of every receiver, as it stands in the database."""
    return {row[1]: _hold_of(row) for row in connection.execute(_READ)}


@writing
def hold_receiver(connection: Connection, receiver: str, hold: Hold) -> None:
    """Pause a receiver as a whole."""
    connection.execute(
        _HOLD,
        {
            "receiver": receiver,
            "since": milliseconds(hold.since),
            "until": milliseconds(hold.until),
            "step": hold.step,
        },
    )


@writing
def lift_hold(connection: Connection, receiver: str, *, now: datetime) -> None:
    """End a receiver's pause and make everything that waits for it due."""
    connection.execute(_HOLD, {"receiver": receiver, "since": None, "until": None, "step": None})
    connection.execute(_WAKE, {"receiver": receiver, "now": milliseconds(now)})


def _hold_of(row: Sequence[Any]) -> Hold | None:
    if row[5] is None:
        return None
    return Hold(since=from_milliseconds(row[4]), until=from_milliseconds(row[5]), step=row[6])


_REGISTER: Final = text(
    "INSERT INTO receivers (name, key) VALUES (:name, :key) ON CONFLICT (name) DO NOTHING"
)
_READ: Final = text(
    "SELECT id, name, key, sequence, held_since, held_until, hold_step FROM receivers"
)
_HOLD: Final = text(
    "UPDATE receivers SET held_since = :since, held_until = :until, hold_step = :step"
    " WHERE name = :receiver"
)
_WAKE: Final = text(
    "UPDATE deliveries SET due_at = :now WHERE receiver = :receiver AND state = 'pending'"
    " AND due_at > :now AND lease_owner IS NULL"
)
