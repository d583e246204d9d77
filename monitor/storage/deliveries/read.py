"""Reads for people: deliveries, what they wait for, and their attempts."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, bindparam, text

from monitor.core.delivery import DeliveryState
from monitor.core.event import SubjectKind
from monitor.storage.batches.read import PAGE
from monitor.storage.database import Database, fetch, reading
from monitor.storage.times import from_milliseconds

_NEWEST: Final = 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryView:
    """Hold a delivery beside the event that it owes."""

    row: int
    event_id: str
    event_type: str
    receiver: str
    subject_kind: SubjectKind
    subject: str
    """The batch's id, or the source's or receiver's name."""
    source: str | None
    """The batch's source."""
    sequence: int
    state: DeliveryState
    attempts: int
    due_at: datetime | None
    """None while an earlier one of its lane is pending, and when there is nothing left to do."""
    claimed: bool
    """It is being sent; `due_at` is then when whoever sends it is given up."""
    enqueued_at: datetime
    delivered_at: datetime | None
    held_since: datetime | None
    held_until: datetime | None
    """When the receiver is tried again that failed as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptView:
    """Hold one try at a delivery."""

    at: datetime
    duration: timedelta
    verdict: str
    status_code: int | None
    error: str | None
    response: str | None


async def list_deliveries(
    database: Database, *, state: str | None = None, receiver: str | None = None
) -> AsyncIterator[DeliveryView]:
    """Yield deliveries, the newest first."""
    before = _NEWEST
    while True:
        values: dict[str, Any] = {"before": before, "limit": PAGE}
        statement = _ALL
        if state is not None or receiver is not None:
            statement, values = _CHOSEN, values | {"state": state, "receiver": receiver}
        rows = await fetch(database, statement, values)
        for row in rows:
            yield _delivery_of(row)
        if len(rows) < PAGE:
            return
        before = rows[-1][0]


@reading
def read_delivery(connection: Connection, row: int) -> DeliveryView | None:
    """Return one delivery."""
    found = connection.execute(_ONE, {"row": row}).one_or_none()
    return None if found is None else _delivery_of(found)


@reading
def deliveries_of_events(connection: Connection, ids: Sequence[str]) -> list[DeliveryView]:
    """Return all deliveries of several events, in their order."""
    if not ids:  # Postgres cannot tell the type of an empty list
        return []
    return [_delivery_of(row) for row in connection.execute(_OF_EVENTS, {"ids": ids})]


@reading
def lane_head(connection: Connection, delivery_row: int) -> DeliveryView | None:
    """Return the oldest pending delivery of a delivery's lane: the one that all others wait for."""
    found = connection.execute(_HEAD, {"row": delivery_row}).one_or_none()
    return None if found is None else _delivery_of(found)


@reading
def last_hold(connection: Connection, receiver: str) -> AttemptView | None:
    """Return the newest attempt that held a receiver as a whole."""
    row = connection.execute(_LAST_HOLD, {"receiver": receiver}).one_or_none()
    return None if row is None else _attempt_of(row)


@reading
def pending_of_batch(connection: Connection, batch_row: int) -> list[DeliveryView]:
    """Return what is still owed of a batch's events, lane by lane."""
    values = {"kind": SubjectKind.BATCH.value, "row": batch_row}
    return [_delivery_of(row) for row in connection.execute(_PENDING, values)]


@reading
def attempts_of(connection: Connection, delivery_row: int) -> list[AttemptView]:
    """Return all attempts at a delivery, the first one first."""
    rows = connection.execute(_ATTEMPTS, {"row": delivery_row})
    return [_attempt_of(row) for row in rows]


@reading
def known_receivers(connection: Connection) -> list[str]:
    """Return the names of all receivers that ever were configured."""
    return list(connection.execute(_RECEIVERS).scalars().all())


def _delivery_of(row: Sequence[Any]) -> DeliveryView:
    return DeliveryView(
        row=row[0],
        event_id=row[1],
        event_type=row[2],
        receiver=row[3],
        subject_kind=SubjectKind(row[4]),
        subject=row[5],
        source=row[6],
        sequence=row[7],
        state=DeliveryState(row[8]),
        attempts=row[9],
        due_at=from_milliseconds(row[10]),
        claimed=bool(row[11]),
        enqueued_at=from_milliseconds(row[12]),
        delivered_at=from_milliseconds(row[13]),
        held_since=from_milliseconds(row[14]),
        held_until=from_milliseconds(row[15]),
    )


def _attempt_of(row: Sequence[Any]) -> AttemptView:
    return AttemptView(
        at=from_milliseconds(row[0]),
        duration=timedelta(milliseconds=row[1]),
        verdict=row[2],
        status_code=row[3],
        error=row[4],
        response=row[5],
    )


_SELECT: Final = (
    "SELECT d.id, d.event, e.type, d.receiver, d.subject_kind,"
    " COALESCE(b.external_id, s.name, v.name, ''), b.source, d.sequence, d.state, d.attempts,"
    " d.due_at, d.lease_owner IS NOT NULL, d.enqueued_at, d.delivered_at, r.held_since,"
    " r.held_until"
    " FROM deliveries AS d JOIN events AS e ON e.id = d.event"
    " LEFT JOIN batches AS b ON d.subject_kind = 'batch' AND b.id = d.subject_row"
    " LEFT JOIN sources AS s ON d.subject_kind = 'source' AND s.id = d.subject_row"
    " LEFT JOIN receivers AS v ON d.subject_kind = 'receiver' AND v.id = d.subject_row"
    " LEFT JOIN receivers AS r ON r.name = d.receiver"
)
_ALL: Final = text(f"{_SELECT} WHERE d.id < :before ORDER BY d.id DESC LIMIT :limit")
_CHOSEN: Final = text(
    f"{_SELECT} WHERE d.id < :before AND d.state = COALESCE(CAST(:state AS text), d.state)"
    " AND d.receiver = COALESCE(CAST(:receiver AS text), d.receiver)"
    " ORDER BY d.id DESC LIMIT :limit"
)
_ONE: Final = text(f"{_SELECT} WHERE d.id = :row")
_OF_EVENTS: Final = text(f"{_SELECT} WHERE d.event IN :ids ORDER BY d.id").bindparams(
    bindparam("ids", expanding=True)
)
_HEAD: Final = text(
    f"{_SELECT} JOIN deliveries AS o ON o.id = :row AND d.receiver = o.receiver"
    " AND d.subject_kind = o.subject_kind AND d.subject_row = o.subject_row"
    " WHERE d.state = 'pending' ORDER BY d.sequence LIMIT 1"
)
_PENDING: Final = text(
    f"{_SELECT} WHERE d.state = 'pending' AND d.subject_kind = :kind AND d.subject_row = :row"
    " ORDER BY d.receiver, d.sequence"
)
_ATTEMPTS: Final = text(
    "SELECT at, duration_ms, verdict, status_code, error, response FROM attempts"
    " WHERE delivery = :row ORDER BY id"
)
_LAST_HOLD: Final = text(
    "SELECT a.at, a.duration_ms, a.verdict, a.status_code, a.error, a.response FROM attempts AS a"
    " JOIN deliveries AS d ON d.id = a.delivery WHERE d.receiver = :receiver"
    " AND a.verdict = 'hold' ORDER BY a.id DESC LIMIT 1"
)
_RECEIVERS: Final = text("SELECT name FROM receivers ORDER BY name")
