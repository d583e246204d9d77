"""Deliveries at work: claimed for an attempt, settled after it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, text

from monitor.core.delivery import Delivery, DeliveryState, Settlement, Verdict
from monitor.core.event import SubjectKind
from monitor.storage.database import reading, writing
from monitor.storage.deliveries.lanes import advance, lock_subjects
from monitor.storage.rows import DIALECTS, encode_rows, rows_of
from monitor.storage.times import from_milliseconds, milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedAttempt:
    """Hold one attempt, and what becomes of its delivery."""

    delivery: Delivery
    verdict: Verdict
    settlement: Settlement
    started_at: datetime
    duration: timedelta

    def without_response(self) -> "EndedAttempt":
        """Return the same without the answer's text."""
        return replace(self, verdict=replace(self.verdict, response=None))


@writing
def claim_deliveries(
    connection: Connection,
    receiver: str,
    *,
    limit: int,
    now: datetime,
    lease: timedelta,
    owner: str,
) -> list[Delivery]:
    """Claim at most `limit` due heads of a receiver's lanes, the longest due first."""
    rows = connection.execute(
        _CLAIM[connection.dialect.name],
        {
            "receiver": receiver,
            "now": milliseconds(now),
            "lease_until": milliseconds(now + lease),
            "owner": owner,
            "limit": limit,
        },
    )
    return [_delivery_of(row) for row in rows]


@reading
def due_receivers(connection: Connection) -> dict[str, datetime]:
    """Return when the next delivery to each receiver is due."""
    rows = connection.execute(_DUE_RECEIVERS)
    return {row[0]: from_milliseconds(row[1]) for row in rows if row[1] is not None}


@writing
def settle_deliveries(
    connection: Connection, settled: Sequence[EndedAttempt], *, now: datetime
) -> set[str]:
    """Write attempts and what became of their deliveries; the next of each lane becomes due.

    A delivery that somebody else has claimed since is left alone. Returns the receivers for which
    something became due.
    """
    subjects = [(s.delivery.subject_kind, s.delivery.subject_row) for s in settled]
    lock_subjects(connection, subjects)
    kept = _write_back(connection, settled, now=now)
    ours = [item for item in settled if (item.delivery.row, item.delivery.epoch) in kept]
    if ours:
        connection.execute(_INSERT_ATTEMPT, [_attempt_row(item) for item in ours])
    finished = [
        item.delivery for item in ours if item.settlement.state is not DeliveryState.PENDING
    ]
    lanes = {(d.receiver, d.subject_kind.value, d.subject_row) for d in finished}
    return set(advance(connection, lanes, now=now))


@writing
def release_deliveries(connection: Connection, *, owner: str | None, now: datetime) -> int:
    """Give back what `owner`, or anybody, had claimed: due now; return how many."""
    statement = _RELEASE_ALL if owner is None else _RELEASE
    return connection.execute(statement, {"owner": owner, "now": milliseconds(now)}).rowcount


@writing
def unclaim_deliveries(
    connection: Connection, claimed: Sequence[Delivery], *, now: datetime
) -> None:
    """Give back deliveries that were claimed for nothing: due now, unless claimed anew since."""
    rows = [{"id": delivery.row, "epoch": delivery.epoch} for delivery in claimed]
    connection.execute(
        _UNCLAIM[connection.dialect.name], {"rows": encode_rows(rows), "now": milliseconds(now)}
    )


def _write_back(
    connection: Connection, settled: Iterable[EndedAttempt], *, now: datetime
) -> set[tuple[int, int]]:
    """Return what was written, by row and epoch: of one delivery two attempts may come at once."""
    rows = [
        {
            "id": item.delivery.row,
            "epoch": item.delivery.epoch,
            "state": item.settlement.state,
            "due_at": milliseconds(item.settlement.due_at),
            "attempts": item.settlement.attempts,
            "delivered_at": (
                milliseconds(now) if item.settlement.state is DeliveryState.DELIVERED else None
            ),
        }
        for item in settled
    ]
    found = connection.execute(_WRITE_BACK[connection.dialect.name], {"rows": encode_rows(rows)})
    return {(row[0], row[1]) for row in found}


def _attempt_row(item: EndedAttempt) -> dict[str, Any]:
    return {
        "delivery": item.delivery.row,
        "at": milliseconds(item.started_at),
        "duration_ms": round(item.duration / timedelta(milliseconds=1)),
        "verdict": item.verdict.kind.value,
        "status_code": item.verdict.status_code,
        "error": item.verdict.error,
        "response": item.verdict.response or item.verdict.reason,
    }


def _delivery_of(row: Sequence[Any]) -> Delivery:
    return Delivery(
        row=row[0],
        epoch=row[1],
        event_id=row[2],
        receiver=row[3],
        subject_kind=SubjectKind(row[4]),
        subject_row=row[5],
        sequence=row[6],
        attempts=row[7],
        enqueued_at=from_milliseconds(row[8]),
        event_type=row[9],
        body=bytes(row[10]),
        observed_at=from_milliseconds(row[11]),
    )


_RETURNED: Final = (
    "id, epoch, event, receiver, subject_kind, subject_row, sequence, attempts, enqueued_at,"
    " (SELECT type FROM events WHERE events.id = CAST(event AS text)),"
    " (SELECT body FROM events WHERE events.id = CAST(event AS text)),"
    " (SELECT at FROM events WHERE events.id = CAST(event AS text))"
)
"""In RETURNING, SQLite finds an event by the index only with the cast: else it reads them all."""


def _claim_statement(dialect: str) -> Any:
    skip = "" if dialect == "sqlite" else " FOR UPDATE SKIP LOCKED"
    return text(
        "UPDATE deliveries SET due_at = :lease_until, lease_owner = :owner, epoch = epoch + 1"  # noqa: S608 (ours)
        " WHERE id IN (SELECT id FROM deliveries WHERE receiver = :receiver"
        " AND state = 'pending' AND due_at IS NOT NULL AND due_at <= :now"
        f" ORDER BY due_at LIMIT :limit{skip}) RETURNING {_RETURNED}"
    )


def _write_back_statement(dialect: str) -> Any:
    columns = {
        "id": "bigint",
        "epoch": "bigint",
        "state": "text",
        "due_at": "bigint",
        "attempts": "int",
        "delivered_at": "bigint",
    }
    return text(
        "UPDATE deliveries SET state = r.state, due_at = r.due_at, attempts = r.attempts,"  # noqa: S608 (ours)
        " delivered_at = r.delivered_at, lease_owner = NULL"
        f" FROM {rows_of(dialect, columns)}"
        " WHERE deliveries.id = r.id AND deliveries.epoch = r.epoch"
        " AND deliveries.lease_owner IS NOT NULL RETURNING deliveries.id, deliveries.epoch"
    )


def _unclaim_statement(dialect: str) -> Any:
    return text(
        "UPDATE deliveries SET due_at = :now, lease_owner = NULL"  # noqa: S608 (ours)
        f" FROM {rows_of(dialect, {'id': 'bigint', 'epoch': 'bigint'})}"
        " WHERE deliveries.id = r.id AND deliveries.epoch = r.epoch"
        " AND deliveries.lease_owner IS NOT NULL"
    )


_UNCLAIM: Final = {dialect: _unclaim_statement(dialect) for dialect in DIALECTS}
_CLAIM: Final = {dialect: _claim_statement(dialect) for dialect in DIALECTS}
_WRITE_BACK: Final = {dialect: _write_back_statement(dialect) for dialect in DIALECTS}
_INSERT_ATTEMPT: Final = text(
    "INSERT INTO attempts (delivery, at, duration_ms, verdict, status_code, error, response)"
    " VALUES (:delivery, :at, :duration_ms, :verdict, :status_code, :error, :response)"
)
_DUE_RECEIVERS: Final = text(
    "SELECT name, (SELECT min(due_at) FROM deliveries WHERE receiver = receivers.name"
    " AND state = 'pending' AND due_at IS NOT NULL) FROM receivers"
)
_GIVE_BACK: Final = "UPDATE deliveries SET due_at = :now, lease_owner = NULL, epoch = epoch + 1"
_RELEASE: Final = text(f"{_GIVE_BACK} WHERE lease_owner = :owner")
# so that the index of what is leased serves it, as in batches.py
_RELEASE_ALL: Final = text(f"{_GIVE_BACK} WHERE lease_owner >= ''")
