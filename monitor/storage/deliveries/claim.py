"""Deliveries at work: claimed for an attempt, settled after it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, text

from monitor.core.delivery import Delivery, DeliveryState, Settlement, Verdict, VerdictKind
from monitor.core.event import SubjectKind
from monitor.storage.database import reading, writing
from monitor.storage.deliveries.lanes import advance, lock_subjects
from monitor.storage.fields import Field, Fields
from monitor.storage.sql import CLAIM_KEY, Statement, claim_stands, from_milliseconds, milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedAttempt:
    """One attempt, and what becomes of its delivery."""

    delivery: Delivery
    verdict: Verdict
    settlement: Settlement
    started_at: datetime
    duration: timedelta

    @property
    def arrived(self) -> bool:
        """Return whether the receiver accepted it."""
        return self.verdict.kind is VerdictKind.DELIVERED

    def without_response(self) -> "EndedAttempt":
        """Return the same without the answer's text."""
        return replace(self, verdict=replace(self.verdict, response=None))


def _of_event(column: str) -> str:
    # in RETURNING, SQLite finds an event by the index only with the cast: else it reads them all
    return f"(SELECT {column} FROM events WHERE events.id = CAST(event AS text))"


_DELIVERY: Final = Fields(
    Field.number("id", "row"),
    Field.number("epoch"),
    Field.text("event", "event_id"),
    Field.text("receiver"),
    Field.word(SubjectKind, "subject_kind"),
    Field.number("subject_row"),
    Field.number("sequence"),
    Field.number("attempts"),
    Field.time("enqueued_at"),
    Field.text(_of_event("type"), "event_type"),
    Field(_of_event("body"), "body", load=bytes),
    Field.time(_of_event("at"), "observed_at"),
)
# due heads of lanes, past those that another daemon is claiming just now
_CLAIM: Final = Statement(
    "UPDATE deliveries SET due_at = :lease_until, lease_owner = :owner, epoch = epoch + 1"
    " WHERE id IN (SELECT id FROM deliveries WHERE receiver = :receiver"
    " AND state = 'pending' AND due_at IS NOT NULL AND due_at <= :now"
    f" ORDER BY due_at LIMIT :limit{{lock}}) RETURNING {_DELIVERY.columns}",
    lock=" FOR UPDATE SKIP LOCKED",
)


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
    rows = _CLAIM.run(
        connection,
        receiver=receiver,
        now=milliseconds(now),
        lease_until=milliseconds(now + lease),
        owner=owner,
        limit=limit,
    )
    return [Delivery(**_DELIVERY.load(row)) for row in rows]


# one look into the index for each receiver
_DUE_RECEIVERS: Final = text(
    "SELECT name, (SELECT min(due_at) FROM deliveries WHERE receiver = receivers.name"
    " AND state = 'pending' AND due_at IS NOT NULL) FROM receivers"
)


@reading
def due_receivers(connection: Connection) -> dict[str, datetime]:
    """Return when the next delivery to each receiver is due."""
    rows = connection.execute(_DUE_RECEIVERS)
    return {name: from_milliseconds(due_at) for name, due_at in rows if due_at is not None}


# every attempt is kept, whatever became of it
_INSERT_ATTEMPT: Final = text(
    "INSERT INTO attempts (delivery, at, duration_ms, verdict, status_code, error, response)"
    " VALUES (:delivery, :at, :duration_ms, :verdict, :status_code, :error, :response)"
)


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


# what became of claimed deliveries, unless somebody else claimed them since
_WRITE_BACK: Final = Statement(
    "UPDATE deliveries SET state = r.state, due_at = r.due_at, attempts = r.attempts,"
    " delivered_at = r.delivered_at, lease_owner = NULL FROM {rows}"
    f" WHERE {claim_stands('deliveries')} RETURNING deliveries.id, deliveries.epoch",
    rows=f"{CLAIM_KEY}, state text, due_at bigint, attempts int, delivered_at bigint",
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
    found = _WRITE_BACK.run(connection, rows=rows)
    return {(row, epoch) for row, epoch in found}


_GIVE_BACK: Final = "UPDATE deliveries SET due_at = :now, lease_owner = NULL, epoch = epoch + 1"
# what one daemon had claimed
_RELEASE: Final = text(f"{_GIVE_BACK} WHERE lease_owner = :owner")
# what anybody had, so that the index of what is leased serves it, as of batches
_RELEASE_ALL: Final = text(f"{_GIVE_BACK} WHERE lease_owner >= ''")


@writing
def release_deliveries(connection: Connection, *, owner: str | None, now: datetime) -> int:
    """Give back what `owner`, or anybody, had claimed: due now; return how many."""
    release = _RELEASE_ALL if owner is None else _RELEASE
    return connection.execute(release, {"owner": owner, "now": milliseconds(now)}).rowcount


# claims that were not used
_UNCLAIM: Final = Statement(
    "UPDATE deliveries SET due_at = :now, lease_owner = NULL"
    f" FROM {{rows}} WHERE {claim_stands('deliveries')}",
    rows=CLAIM_KEY,
)


@writing
def unclaim_deliveries(
    connection: Connection, claimed: Sequence[Delivery], *, now: datetime
) -> None:
    """Give back deliveries claimed for nothing: due now, unless somebody claimed them since."""
    rows = [{"id": delivery.row, "epoch": delivery.epoch} for delivery in claimed]
    _UNCLAIM.run(connection, rows=rows, now=milliseconds(now))
