"""Deliveries, what they wait for, and their attempts, read for people."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, TextClause, bindparam, text

from monitor.core.delivery import DeliveryState
from monitor.core.event import SubjectKind
from monitor.storage.database import Database, pages, reading
from monitor.storage.fields import Field, Fields
from monitor.storage.sql import NEWEST


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryView:
    """A delivery beside the event that it owes."""

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
    """One try at a delivery."""

    at: datetime
    duration: timedelta
    verdict: str
    status_code: int | None
    error: str | None
    response: str | None


_VIEW: Final = Fields(
    Field.number("d.id", "row"),
    Field.text("d.event", "event_id"),
    Field.text("e.type", "event_type"),
    Field.text("d.receiver"),
    Field.word(SubjectKind, "d.subject_kind"),
    Field.text("COALESCE(b.external_id, s.name, v.name, '')", "subject"),
    Field.text("b.source"),
    Field.number("d.sequence"),
    Field.word(DeliveryState, "d.state"),
    Field.number("d.attempts"),
    Field.time("d.due_at"),
    Field.flag("d.lease_owner IS NOT NULL", "claimed"),
    Field.time("d.enqueued_at"),
    Field.time("d.delivered_at"),
    Field.time("r.held_since"),
    Field.time("r.held_until"),
)
_SELECT: Final = (
    f"SELECT {_VIEW.columns} FROM deliveries AS d JOIN events AS e ON e.id = d.event"
    " LEFT JOIN batches AS b ON d.subject_kind = 'batch' AND b.id = d.subject_row"
    " LEFT JOIN sources AS s ON d.subject_kind = 'source' AND s.id = d.subject_row"
    " LEFT JOIN receivers AS v ON d.subject_kind = 'receiver' AND v.id = d.subject_row"
    " LEFT JOIN receivers AS r ON r.name = d.receiver"
)


def _views(connection: Connection, select: TextClause, **values: Any) -> list[DeliveryView]:
    return [DeliveryView(**_VIEW.load(row)) for row in connection.execute(select, values)]


# a page of all
_ALL: Final = text(f"{_SELECT} WHERE d.id < :before ORDER BY d.id DESC LIMIT :limit")
# a page of those in a state, or to a receiver, or both
_CHOSEN: Final = text(
    f"{_SELECT} WHERE d.id < :before AND d.state = COALESCE(CAST(:state AS text), d.state)"
    " AND d.receiver = COALESCE(CAST(:receiver AS text), d.receiver)"
    " ORDER BY d.id DESC LIMIT :limit"
)


async def list_deliveries(
    database: Database, *, state: str | None = None, receiver: str | None = None
) -> AsyncIterator[DeliveryView]:
    """Yield deliveries, the newest first."""
    values: dict[str, Any] = {"before": NEWEST}
    select = _ALL
    if state is not None or receiver is not None:
        select, values = _CHOSEN, values | {"state": state, "receiver": receiver}
    async for page in pages(database, select, lambda last: {"before": last[0]}, **values):
        for row in page:
            yield DeliveryView(**_VIEW.load(row))


# one, by its number
_ONE: Final = text(f"{_SELECT} WHERE d.id = :row")


@reading
def read_delivery(connection: Connection, row: int) -> DeliveryView | None:
    """Return one delivery."""
    return next(iter(_views(connection, _ONE, row=row)), None)


# those of several events
_OF_EVENTS: Final = text(f"{_SELECT} WHERE d.event IN :ids ORDER BY d.id").bindparams(
    bindparam("ids", expanding=True)
)


@reading
def deliveries_of_events(connection: Connection, ids: Sequence[str]) -> list[DeliveryView]:
    """Return all deliveries of several events, in their order."""
    # Postgres does not know the type of an empty list
    return _views(connection, _OF_EVENTS, ids=ids) if ids else []


# the first pending one of the same receiver and subject
_HEAD: Final = text(
    f"{_SELECT} JOIN deliveries AS o ON o.id = :row AND d.receiver = o.receiver"
    " AND d.subject_kind = o.subject_kind AND d.subject_row = o.subject_row"
    " WHERE d.state = 'pending' ORDER BY d.sequence LIMIT 1"
)


@reading
def lane_head(connection: Connection, delivery_row: int) -> DeliveryView | None:
    """Return the oldest pending delivery of a delivery's lane: the one that all others wait for."""
    return next(iter(_views(connection, _HEAD, row=delivery_row)), None)


# all pending ones of one subject
_PENDING: Final = text(
    f"{_SELECT} WHERE d.state = 'pending' AND d.subject_kind = :kind AND d.subject_row = :row"
    " ORDER BY d.receiver, d.sequence"
)


@reading
def pending_of_batch(connection: Connection, batch_row: int) -> list[DeliveryView]:
    """Return what is still owed of a batch's events, lane by lane."""
    return _views(connection, _PENDING, kind=SubjectKind.BATCH.value, row=batch_row)


_ATTEMPT: Final = Fields(
    Field.time("a.at"),
    Field("a.duration_ms", "duration", load=lambda number: timedelta(milliseconds=number)),
    Field.text("a.verdict"),
    Field.number("a.status_code"),
    Field.text("a.error"),
    Field.text("a.response"),
)
# those at one delivery
_ATTEMPTS: Final = text(
    f"SELECT {_ATTEMPT.columns} FROM attempts AS a WHERE a.delivery = :row ORDER BY a.id"
)


@reading
def attempts_of(connection: Connection, delivery_row: int) -> list[AttemptView]:
    """Return all attempts at a delivery, the first one first."""
    rows = connection.execute(_ATTEMPTS, {"row": delivery_row})
    return [AttemptView(**_ATTEMPT.load(row)) for row in rows]


# the newest one whose verdict was about the whole receiver
_LAST_HOLD: Final = text(
    f"SELECT {_ATTEMPT.columns} FROM attempts AS a"
    " JOIN deliveries AS d ON d.id = a.delivery WHERE d.receiver = :receiver"
    " AND a.verdict = 'hold' ORDER BY a.id DESC LIMIT 1"
)


@reading
def last_hold(connection: Connection, receiver: str) -> AttemptView | None:
    """Return the newest attempt that held a receiver as a whole."""
    row = connection.execute(_LAST_HOLD, {"receiver": receiver}).one_or_none()
    return None if row is None else AttemptView(**_ATTEMPT.load(row))
