"""Debts: what is owed to receivers that left the config, counted and handed over to others."""

from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from monitor.core.event import SubjectKind
from monitor.storage.database import Database, reading, writing
from monitor.storage.deliveries.lanes import lock_subjects, promote
from monitor.storage.times import from_milliseconds, milliseconds

CHUNK: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Debt:
    """Hold how many deliveries wait for a receiver, and since when the oldest does."""

    deliveries: int
    oldest: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedOver:
    """Count what became of the deliveries that were handed over."""

    moved: int
    doubled: int
    """Given up: the other receiver has, or had, a delivery of that event."""


@reading
def debts_of_gone(connection: Connection, receivers: Container[str]) -> dict[str, Debt]:
    """Return what waits for receivers that were configured once, and are none of these."""
    names = connection.execute(_RECEIVERS).scalars().all()
    owed = {name: _debt(connection, name) for name in names if name not in receivers}
    return {name: debt for name, debt in owed.items() if debt is not None}


def _debt(connection: Connection, receiver: str) -> Debt | None:
    number, oldest = connection.execute(_DEBT, {"receiver": receiver}).one()
    return Debt(deliveries=number, oldest=from_milliseconds(oldest)) if number else None


async def hand_over(database: Database, receiver: str, *, to: str, now: datetime) -> HandedOver:
    """Owe all that waits for a receiver to another one, in order and on a fresh schedule.

    What is being sent just now is left alone.
    """
    moved = doubled = 0
    while (done := await _hand_over(database, receiver, to, now=now)) is not None:
        moved, doubled = moved + done.moved, doubled + done.doubled
    return HandedOver(moved=moved, doubled=doubled)


@writing
def _hand_over(
    connection: Connection, receiver: str, to: str, *, now: datetime
) -> HandedOver | None:
    """Hand over some of it; none when nothing is left."""
    values = {"receiver": receiver, "to": to, "now": milliseconds(now)}
    some = connection.execute(_SOME, {**values, "limit": CHUNK}).all()
    if not some:
        return None
    lock_subjects(connection, [(SubjectKind(row[1]), row[2]) for row in some])
    rows = [{**values, "row": row[0]} for row in some]
    moved = connection.execute(_MOVE, rows).rowcount
    doubled = connection.execute(_GIVE_UP, rows).rowcount
    lanes = {(owed, row[1], row[2]) for row in some for owed in (receiver, to)}
    connection.execute(_STAND_BACK, [{**values, "kind": row[1], "subject": row[2]} for row in some])
    promote(connection, lanes, now=now)
    return HandedOver(moved=moved, doubled=doubled)


_FREE: Final = "state = 'pending' AND (lease_owner IS NULL OR due_at <= :now)"
_RECEIVERS: Final = text("SELECT name FROM receivers ORDER BY name")
_DEBT: Final = text(
    "SELECT count(*), min(enqueued_at) FROM deliveries"
    " WHERE state = 'pending' AND receiver = :receiver"
)
# in the order of the lanes' index
_SOME: Final = text(
    "SELECT id, subject_kind, subject_row FROM deliveries"  # noqa: S608 (ours)
    f" WHERE receiver = :receiver AND {_FREE}"
    " ORDER BY subject_kind, subject_row, sequence LIMIT :limit"
)
# what is moved may be older than the lane's head, which then waits behind it
_STAND_BACK: Final = text(
    "UPDATE deliveries SET due_at = NULL WHERE state = 'pending' AND receiver = :to"
    " AND subject_kind = :kind AND subject_row = :subject AND due_at IS NOT NULL"
    " AND lease_owner IS NULL"
)
# row by row by their key, which no plan can read a whole table for
_MOVE: Final = text(
    "UPDATE deliveries SET receiver = :to, attempts = 0, enqueued_at = :now, due_at = NULL,"  # noqa: S608 (ours)
    f" lease_owner = NULL, epoch = epoch + 1 WHERE id = :row AND {_FREE} AND NOT EXISTS"
    " (SELECT 1 FROM deliveries AS other"
    " WHERE other.event = deliveries.event AND other.receiver = :to)"
)
_GIVE_UP: Final = text(
    "UPDATE deliveries SET state = 'dead', due_at = NULL, lease_owner = NULL, epoch = epoch + 1"  # noqa: S608 (ours)
    f" WHERE id = :row AND receiver = :receiver AND {_FREE}"
)
