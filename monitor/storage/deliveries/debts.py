"""Debts: what is owed to receivers, counted, and handed over from those that left the config."""

from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from monitor.core.delivery import DeliveryState
from monitor.storage.database import Database, reading, writing
from monitor.storage.deliveries.lanes import FREE, GIVE_UP, lock_lanes, promote
from monitor.storage.receivers import RECEIVER_NAMES
from monitor.storage.sql import CHUNK, from_milliseconds, milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Debt:
    """How many deliveries wait for a receiver, and since when the oldest does."""

    deliveries: int
    oldest: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """What became of the deliveries that were handed over."""

    moved: int
    doubled: int
    """Given up: the other receiver has, or had, a delivery of that event."""


@reading
def debts_of_gone(connection: Connection, receivers: Container[str]) -> dict[str, Debt]:
    """Return what waits for receivers that were configured once, and are none of these."""
    names = connection.execute(RECEIVER_NAMES).scalars().all()
    owed = {name: _debt(connection, name) for name in names if name not in receivers}
    return {name: debt for name, debt in owed.items() if debt is not None}


# of one receiver, by the index of what is pending
_DEBT: Final = text(
    "SELECT count(*), min(enqueued_at) FROM deliveries"
    " WHERE state = 'pending' AND receiver = :receiver"
)


def _debt(connection: Connection, receiver: str) -> Debt | None:
    number, oldest = connection.execute(_DEBT, {"receiver": receiver}).one()
    return Debt(deliveries=number, oldest=from_milliseconds(oldest)) if number else None


# of all receivers
_UNDELIVERED: Final = text(
    "SELECT receiver, state, count(*), min(enqueued_at) FROM deliveries"
    " WHERE state <> 'delivered' GROUP BY receiver, state"
)


@reading
def undelivered(connection: Connection) -> dict[tuple[str, DeliveryState], Debt]:
    """Return what is pending or dead, by receiver and state."""
    return {
        (receiver, DeliveryState(state)): Debt(deliveries=number, oldest=from_milliseconds(oldest))
        for receiver, state, number, oldest in connection.execute(_UNDELIVERED)
    }


async def hand_over(database: Database, receiver: str, *, to: str, now: datetime) -> Handover:
    """Owe all that waits for a receiver to another one, in order and on a fresh schedule.

    What is being sent just now is left alone.
    """
    moved = doubled = 0
    while (done := await _hand_over(database, receiver, to, now=now)) is not None:
        moved, doubled = moved + done.moved, doubled + done.doubled
    return Handover(moved=moved, doubled=doubled)


# some of it, in the order of the lanes' index
_SOME: Final = text(
    f"SELECT id, subject_kind, subject_row FROM deliveries WHERE receiver = :receiver AND {FREE}"
    " ORDER BY subject_kind, subject_row, sequence LIMIT :limit"
)
# row by row by their key, which no plan can read a whole table for
_MOVE: Final = text(
    "UPDATE deliveries SET receiver = :to, attempts = 0, enqueued_at = :now, due_at = NULL,"
    f" lease_owner = NULL, epoch = epoch + 1 WHERE id = :row AND {FREE} AND NOT EXISTS"
    " (SELECT 1 FROM deliveries AS other"
    " WHERE other.event = deliveries.event AND other.receiver = :to)"
)
# what could not move: the other receiver has it already
_GIVE_UP: Final = text(f"{GIVE_UP} WHERE id = :row AND receiver = :receiver AND {FREE}")
# what is moved may be older than the lane's head, which then waits behind it
_STAND_BACK: Final = text(
    "UPDATE deliveries SET due_at = NULL WHERE state = 'pending' AND receiver = :to"
    " AND subject_kind = :kind AND subject_row = :subject AND due_at IS NOT NULL"
    " AND lease_owner IS NULL"
)


@writing
def _hand_over(connection: Connection, receiver: str, to: str, *, now: datetime) -> Handover | None:
    """Hand over some of it; none when nothing is left."""
    values = {"receiver": receiver, "to": to, "now": milliseconds(now)}
    some = connection.execute(_SOME, {**values, "limit": CHUNK}).all()
    if not some:
        return None
    lanes = {(owed, kind, subject) for _, kind, subject in some for owed in (receiver, to)}
    lock_lanes(connection, lanes)
    rows = [{**values, "row": row, "kind": kind, "subject": subject} for row, kind, subject in some]
    moved = connection.execute(_MOVE, rows).rowcount
    doubled = connection.execute(_GIVE_UP, rows).rowcount
    connection.execute(_STAND_BACK, rows)
    promote(connection, lanes, now=now)
    return Handover(moved=moved, doubled=doubled)
