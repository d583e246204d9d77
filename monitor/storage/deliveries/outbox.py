"""The outbox: events and the deliveries they owe, stored in one unit of work."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, text

from monitor.core.delivery import Delivery, DeliveryState
from monitor.core.event import Event
from monitor.storage.deliveries.lanes import Lane, busy_lanes
from monitor.storage.sql import Statement, milliseconds, names_of


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutedEvent:
    """An event and the receivers it goes to."""

    event: Event
    receivers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """Who may send new deliveries at once, by receiver: how many, and how long they are its."""

    owner: str
    room: Mapping[str, int]
    lease: Mapping[str, timedelta]


# events as they are sent; as text, not as Insert: SQLAlchemy's own way costs several times as much
# for each row
_INSERT_EVENT: Final = text(
    "INSERT INTO events (id, subject_kind, subject_row, sequence, type, at, body, routing)"
    " VALUES (:id, :subject_kind, :subject_row, :sequence, :type, :at, :body, :routing)"
)
_ROW: Final = (
    "event text, receiver text, subject_kind text, subject_row bigint, sequence bigint,"
    " state text, due_at bigint, lease_owner text, epoch bigint, enqueued_at bigint"
)
_NAMES: Final = ", ".join(names_of(_ROW))
# born with all that a claim would give them: a claim of its own would cost a second commit
_INSERT_DELIVERIES: Final = Statement(
    f"INSERT INTO deliveries ({_NAMES}, attempts) SELECT {_NAMES}, 0 FROM {{rows}}"
    " RETURNING id, event, receiver",
    rows=_ROW,
)


def enqueue(
    connection: Connection, owed: Sequence[RoutedEvent], *, now: datetime, reservation: Reservation
) -> list[Delivery]:
    """Store events with the deliveries they owe; return those that are born claimed.

    The caller has locked the subjects' rows: a delivery is due only if nothing is pending before
    it, and that must not change until the commit.
    """
    if not owed:
        return []
    connection.execute(_INSERT_EVENT, [_event_row(item) for item in owed])
    due = _Due(now=now, reservation=reservation, busy=busy_lanes(connection, _lanes(owed)))
    rows = [due.row(item.event, receiver) for item in owed for receiver in item.receivers]
    if not rows:
        return []
    inserted = _INSERT_DELIVERIES.run(connection, rows=rows)
    numbers = {(event, receiver): number for number, event, receiver in inserted}
    by_id = {item.event.id: item.event for item in owed}
    return [
        _born(row, numbers[row["event"], row["receiver"]], by_id[row["event"]], now)
        for row in rows
        if row["lease_owner"] is not None
    ]


class _Due:
    """Which new deliveries are heads of their lanes, and which of those are born claimed."""

    def __init__(self, *, now: datetime, reservation: Reservation, busy: set[Lane]) -> None:
        self._at = now
        self._now = milliseconds(now)
        self._birth = reservation
        self._busy = busy
        self._room = dict(reservation.room)

    def row(self, event: Event, receiver: str) -> dict[str, Any]:
        lane = (receiver, event.subject_kind.value, event.subject_row)
        head = lane not in self._busy
        self._busy.add(lane)
        claimed = head and self._take(receiver)
        owner = self._birth.owner if claimed else None
        due_at = milliseconds(self._at + self._birth.lease[receiver]) if claimed else self._now
        return {
            "event": event.id,
            "receiver": receiver,
            "subject_kind": event.subject_kind.value,
            "subject_row": event.subject_row,
            "sequence": event.sequence,
            "state": DeliveryState.PENDING.value,
            "due_at": due_at if head else None,
            "lease_owner": owner,
            "epoch": 1 if claimed else 0,
            "enqueued_at": self._now,
        }

    def _take(self, receiver: str) -> bool:
        left = self._room.get(receiver, 0)
        self._room[receiver] = left - 1
        return left > 0


def _lanes(owed: Sequence[RoutedEvent]) -> set[Lane]:
    return {
        (receiver, item.event.subject_kind.value, item.event.subject_row)
        for item in owed
        for receiver in item.receivers
    }


def _event_row(item: RoutedEvent) -> dict[str, Any]:
    event = item.event
    return {
        "id": event.id,
        "subject_kind": event.subject_kind.value,
        "subject_row": event.subject_row,
        "sequence": event.sequence,
        "type": event.type.value,
        "at": milliseconds(event.at),
        "body": event.body,
        "routing": json.dumps({"receivers": item.receivers}),
    }


def _born(row: dict[str, Any], number: int, event: Event, now: datetime) -> Delivery:
    return Delivery(
        row=number,
        epoch=row["epoch"],
        event_id=event.id,
        event_type=event.type,
        body=event.body,
        receiver=row["receiver"],
        subject_kind=event.subject_kind,
        subject_row=event.subject_row,
        sequence=event.sequence,
        attempts=0,
        observed_at=event.at,
        enqueued_at=now,
    )
