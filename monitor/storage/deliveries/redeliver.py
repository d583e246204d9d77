"""Redelivery: deliveries that were settled, owed once more."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, text

from monitor.core.delivery import DeliveryState
from monitor.core.event import EventType, SubjectKind
from monitor.storage.database import Database, reading, writing
from monitor.storage.deliveries.lanes import Subject, lock_subjects, promote
from monitor.storage.sql import CHUNK, Statement, chunks, milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A delivery that may be owed once more."""

    row: int
    event_id: str
    receiver: str
    state: DeliveryState
    subject: Subject


_SELECT: Final = "SELECT d.id, d.event, d.receiver, d.state, d.subject_kind, d.subject_row"
# deliveries by their numbers
_FIND_BY_NUMBER: Final = Statement(
    f"{_SELECT} FROM deliveries AS d JOIN {{rows}} ON d.id = r.wanted", rows="wanted bigint"
)
# deliveries by their events
_FIND_BY_EVENT: Final = Statement(
    f"{_SELECT} FROM deliveries AS d JOIN {{rows}} ON d.event = r.wanted", rows="wanted text"
)


@reading
def find_deliveries(
    connection: Connection, *, rows: Sequence[int] = (), events: Sequence[str] = ()
) -> list[Candidate]:
    """Return the deliveries of these numbers and of these events, each once, in their order."""
    found: dict[int, Candidate] = {}
    for find, wanted in ((_FIND_BY_NUMBER, rows), (_FIND_BY_EVENT, events)):
        for chunk in chunks(wanted, CHUNK):
            encoded = json.dumps([{"wanted": value} for value in chunk])
            result = find.run(connection, rows=encoded)
            found |= {row[0]: _candidate_of(row) for row in result}
    return [found[row] for row in sorted(found)]


# those of one receiver, in the order of their numbers
_OF_RECEIVER: Final = text(
    f"{_SELECT} FROM deliveries AS d JOIN events AS e ON e.id = d.event"
    " WHERE d.receiver = :receiver AND d.state = :state AND e.at >= :since"
    " AND e.type <> :test ORDER BY d.id"
)


@reading
def find_of_receiver(
    connection: Connection, receiver: str, *, state: str, since: datetime | None
) -> list[Candidate]:
    """Return a receiver's deliveries in a state, of the events from a time on, in their order.

    Tests are left out: only who names one wants it to arrive late.
    """
    values = {
        "receiver": receiver,
        "state": state,
        "since": 0 if since is None else milliseconds(since),
        "test": EventType.TEST.value,
    }
    return [_candidate_of(row) for row in connection.execute(_OF_RECEIVER, values)]


def _candidate_of(row: Iterable[Any]) -> Candidate:
    number, event_id, receiver, state, kind, subject_row = row
    return Candidate(
        row=number,
        event_id=event_id,
        receiver=receiver,
        state=DeliveryState(state),
        subject=(SubjectKind(kind), subject_row),
    )


async def redeliver(
    database: Database, candidates: Sequence[Candidate], *, now: datetime
) -> set[int]:
    """Owe deliveries once more, each in the place of its lane; return the numbers of those owed.

    The attempts so far stay, but the schedule starts again. A pending one that waits for its next
    try is due now; one that is due, under way, behind another or gone is left alone.
    """
    owed: set[int] = set()
    for chunk in chunks(candidates, CHUNK):
        owed |= await _redeliver(database, chunk, now=now)
    return owed


# those that were settled, due once nothing older of their lanes is pending
_REVIVE: Final = Statement(
    "UPDATE deliveries SET state = 'pending', attempts = 0, enqueued_at = :now,"
    " delivered_at = NULL, due_at = NULL, lease_owner = NULL, epoch = epoch + 1 FROM {rows}"
    " WHERE deliveries.id = r.delivery AND deliveries.state <> 'pending'"
    " RETURNING deliveries.id, deliveries.receiver, deliveries.subject_kind,"
    " deliveries.subject_row",
    rows="delivery bigint",
)
# those that wait for their next try
_HURRY: Final = Statement(
    "UPDATE deliveries SET due_at = :now FROM {rows} WHERE deliveries.id = r.delivery"
    " AND deliveries.state = 'pending' AND deliveries.lease_owner IS NULL"
    " AND deliveries.due_at > :now RETURNING deliveries.id",
    rows="delivery bigint",
)


@writing
def _redeliver(
    connection: Connection, candidates: Iterable[Candidate], *, now: datetime
) -> set[int]:
    rows = json.dumps([{"delivery": candidate.row} for candidate in candidates])
    lock_subjects(connection, [candidate.subject for candidate in candidates])
    revived = _REVIVE.run(connection, rows=rows, now=milliseconds(now)).all()
    hurried = _HURRY.run(connection, rows=rows, now=milliseconds(now)).scalars()
    lanes = {(receiver, kind, subject) for _, receiver, kind, subject in revived}
    promote(connection, lanes, now=now)
    return {number for number, *_ in revived}.union(hurried)
