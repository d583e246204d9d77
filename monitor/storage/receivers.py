"""Receivers as rows: registration, and the hold of one that failed as a whole."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text

from monitor.core.delivery import Hold
from monitor.storage.database import Database
from monitor.storage.times import instant, milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverRow:
    """Hold a receiver as stored."""

    row: int
    name: str
    key: str
    sequence: int
    hold: Hold | None


async def register_receivers(database: Database, names: Iterable[str]) -> dict[str, ReceiverRow]:
    """Make sure that every configured receiver has a row; return them by name."""
    wanted = set(names)
    async with database.writing() as connection:
        for name in sorted(wanted):
            await connection.execute(_REGISTER, {"name": name, "key": secrets.token_hex(16)})
        found = await connection.execute(_READ)
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


async def read_holds(database: Database) -> dict[str, Hold | None]:
    """Return the hold of every receiver, as it stands in the database."""
    async with database.reading() as connection:
        return {row[1]: _hold_of(row) for row in await connection.execute(_READ)}


async def hold_receiver(database: Database, receiver: str, hold: Hold) -> None:
    """Pause a receiver as a whole."""
    async with database.writing() as connection:
        await connection.execute(
            _HOLD,
            {
                "receiver": receiver,
                "since": milliseconds(hold.since),
                "until": milliseconds(hold.until),
                "step": hold.step,
            },
        )


async def lift_hold(database: Database, receiver: str, *, now: datetime) -> None:
    """End a receiver's pause and make everything that waits for it due."""
    async with database.writing() as connection:
        await connection.execute(
            _HOLD, {"receiver": receiver, "since": None, "until": None, "step": None}
        )
        await connection.execute(_WAKE, {"receiver": receiver, "now": milliseconds(now)})


def _hold_of(row: Sequence[Any]) -> Hold | None:
    if row[5] is None:
        return None
    return Hold(since=instant(row[4]), until=instant(row[5]), step=row[6])


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
