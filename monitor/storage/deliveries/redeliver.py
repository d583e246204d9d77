"""Redelivery: deliveries that were settled, owed anew."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, text

from monitor.core.delivery import DeliveryState
from monitor.core.event import EventType, SubjectKind
from monitor.storage.database import Database, reading, writing
from monitor.storage.deliveries.lanes import Subject, lock_subjects, promote
from monitor.storage.rows import DIALECTS, rows_of
from monitor.storage.times import milliseconds

T = TypeVar("T")
CHUNK: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Hold a delivery that may be owed anew."""

    row: int
    event_id: str
    receiver: str
    state: DeliveryState
    subject: Subject


@reading
def find_deliveries(
    connection: Connection, *, rows: Sequence[int] = (), events: Sequence[str] = ()
) -> list[Candidate]:
    """Return the deliveries of these numbers and of these events, each once, in their order."""
    found: dict[int, Candidate] = {}
    for key, wanted in (("delivery", rows), ("event", events)):
        for chunk in _chunks(wanted):
            values = {"rows": json.dumps([{key: value} for value in chunk])}
            result = connection.execute(_FIND[connection.dialect.name, key], values)
            found |= {row[0]: _candidate_of(row) for row in result}
    return [found[row] for row in sorted(found)]


@reading
def find_of_receiver(
    connection: Connection, receiver: str, *, state: str, since: datetime | None
) -> list[Candidate]:
    """Return a receiver's deliveries in a state, of the events from a time on, in their order.

    Tests are left out: only who names one wants it to arrive late.
    """
    start = 0 if since is None else milliseconds(since)
    values = {
        "receiver": receiver,
        "state": state,
        "since": start,
        "test": EventType.TEST.value,
    }
    return [_candidate_of(row) for row in connection.execute(_OF_RECEIVER, values)]


async def redeliver(
    database: Database, candidates: Sequence[Candidate], *, now: datetime
) -> set[int]:
    """Owe deliveries anew, each in the place of its lane; return the numbers of those owed.

    The attempts so far stay, but the schedule starts again. A pending one that waits for its next
    try is due now; one that is due, under way, behind another or gone is left alone.
    """
    owed: set[int] = set()
    for chunk in _chunks(candidates):
        owed |= await _redeliver(database, chunk, now=now)
    return owed


@writing
def _redeliver(
    connection: Connection, candidates: Iterable[Candidate], *, now: datetime
) -> set[int]:
    rows = json.dumps([{"delivery": candidate.row} for candidate in candidates])
    subjects = [candidate.subject for candidate in candidates]
    lock_subjects(connection, subjects)
    found = connection.execute(
        _REVIVE[connection.dialect.name], {"rows": rows, "now": milliseconds(now)}
    )
    hurried = connection.execute(
        _HURRY[connection.dialect.name], {"rows": rows, "now": milliseconds(now)}
    )
    revived = found.all()
    lanes = {(row[1], row[2], row[3]) for row in revived}
    promote(connection, lanes, now=now)
    return {row[0] for row in revived} | {row[0] for row in hurried}


def _candidate_of(row: Sequence[Any]) -> Candidate:
    return Candidate(
        row=row[0],
        event_id=row[1],
        receiver=row[2],
        state=DeliveryState(row[3]),
        subject=(SubjectKind(row[4]), row[5]),
    )


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]


_SELECT: Final = "SELECT d.id, d.event, d.receiver, d.state, d.subject_kind, d.subject_row"


def _find_statement(dialect: str, key: str) -> Any:
    column, kind = {"delivery": ("id", "bigint"), "event": ("event", "text")}[key]
    return text(
        f"{_SELECT} FROM deliveries AS d JOIN {rows_of(dialect, {key: kind})}"
        f" ON d.{column} = r.{key}"
    )


def _revive_statement(dialect: str) -> Any:
    return text(
        "UPDATE deliveries SET state = 'pending', attempts = 0, enqueued_at = :now,"  # noqa: S608 (ours)
        " delivered_at = NULL, due_at = NULL, lease_owner = NULL, epoch = epoch + 1"
        f" FROM {rows_of(dialect, {'delivery': 'bigint'})}"
        " WHERE deliveries.id = r.delivery AND deliveries.state <> 'pending'"
        " RETURNING deliveries.id, deliveries.receiver, deliveries.subject_kind,"
        " deliveries.subject_row"
    )


def _hurry_statement(dialect: str) -> Any:
    return text(
        "UPDATE deliveries SET due_at = :now"  # noqa: S608 (ours)
        f" FROM {rows_of(dialect, {'delivery': 'bigint'})} WHERE deliveries.id = r.delivery"
        " AND deliveries.state = 'pending' AND deliveries.lease_owner IS NULL"
        " AND deliveries.due_at > :now RETURNING deliveries.id"
    )


_HURRY: Final = {dialect: _hurry_statement(dialect) for dialect in DIALECTS}
_FIND: Final = {
    (dialect, key): _find_statement(dialect, key)
    for dialect in DIALECTS
    for key in ("delivery", "event")
}
_REVIVE: Final = {dialect: _revive_statement(dialect) for dialect in DIALECTS}
_OF_RECEIVER: Final = text(
    f"{_SELECT} FROM deliveries AS d JOIN events AS e ON e.id = d.event"
    " WHERE d.receiver = :receiver AND d.state = :state AND e.at >= :since"
    " AND e.type <> :test ORDER BY d.id"
)
