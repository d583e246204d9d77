"""Lanes: the pending deliveries of one receiver and subject, of which only the head is due.

So a receiver hears of a subject in order, and one delivery that fails holds up no other lane.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, text

from monitor.core.event import SubjectKind
from monitor.storage.sql import Statement, milliseconds

Lane = tuple[str, str, int]
"""Receiver, subject kind, subject row."""
Subject = tuple[SubjectKind, int]

FREE: Final = "state = 'pending' AND (lease_owner IS NULL OR due_at <= :now)"
"""The condition on a delivery that it is owed, and nobody sends it now."""
GIVE_UP: Final = (
    "UPDATE deliveries SET state = 'dead', due_at = NULL, lease_owner = NULL, epoch = epoch + 1"
)
_LANE: Final = "receiver text, subject_kind text, subject_row bigint"
_ONE_BY_ONE: Final = " LIMIT 1 OFFSET 0"
"""Keeps Postgres from reading all that is pending instead, as it does without good statistics."""


# subjects of one kind, in row order
_LOCK_SUBJECTS: Final = {
    kind: text(f"SELECT id FROM {table} WHERE id = ANY(:rows) ORDER BY id FOR UPDATE")
    for kind, table in (
        (SubjectKind.BATCH, "batches"),
        (SubjectKind.SOURCE, "sources"),
        (SubjectKind.RECEIVER, "receivers"),
    )
}


def lock_subjects(connection: Connection, subjects: Iterable[Subject]) -> None:
    """Lock batches, sources and receivers, each in row order, as every writer of lanes does.

    Else one could settle a lane's last delivery while another, who still sees it pending, puts a
    new one behind it: a lane without a head. In one order, so that no two wait for each other.
    """
    if connection.dialect.name == "sqlite":
        return
    distinct = set(subjects)
    for kind, lock in _LOCK_SUBJECTS.items():
        rows = [row for subject, row in distinct if subject is kind]
        if rows:
            connection.execute(lock, {"rows": rows})


def lock_lanes(connection: Connection, lanes: Iterable[Lane]) -> None:
    """Lock the subjects of lanes."""
    lock_subjects(connection, [(SubjectKind(kind), row) for _, kind, row in lanes])


# lanes that are not empty
_BUSY: Final = Statement(
    "SELECT r.receiver, r.subject_kind, r.subject_row"
    " FROM {rows} WHERE EXISTS (SELECT 1 FROM deliveries AS d"
    " WHERE d.state = 'pending' AND d.receiver = r.receiver"
    f" AND d.subject_kind = r.subject_kind AND d.subject_row = r.subject_row{_ONE_BY_ONE})",
    rows=_LANE,
)


def busy_lanes(connection: Connection, lanes: Iterable[Lane]) -> set[Lane]:
    """Return those of the lanes that have a pending delivery."""
    found = _BUSY.run(connection, rows=_rows(lanes))
    return {(receiver, kind, row) for receiver, kind, row in found}


_NONE_DUE: Final = (
    " WHERE NOT EXISTS (SELECT 1 FROM deliveries AS d WHERE d.state = 'pending'"
    " AND d.due_at IS NOT NULL AND d.receiver = r.receiver"
    f" AND d.subject_kind = r.subject_kind AND d.subject_row = r.subject_row{_ONE_BY_ONE})"
)


def _heads_due(condition: str) -> Statement:
    """Write what makes the oldest pending delivery of lanes due, as each dialect finds it fast."""
    heads = (
        "SELECT (SELECT d.id FROM deliveries AS d WHERE d.state = 'pending'"
        " AND d.receiver = r.receiver AND d.subject_kind = r.subject_kind"
        " AND d.subject_row = r.subject_row ORDER BY d.sequence LIMIT 1)"
        f" FROM {{rows}}{condition}"
    )
    update = "UPDATE deliveries SET due_at = :now WHERE due_at IS NULL AND id"
    return Statement(
        f"{update} IN ({heads}) RETURNING receiver",
        postgresql=f"{update} = ANY (ARRAY({heads})) RETURNING receiver",
        rows=_LANE,
    )


# reads a lane to its end when none of it is due, and it may be long
_PROMOTE: Final = _heads_due(_NONE_DUE)


def promote(connection: Connection, lanes: Iterable[Lane], *, now: datetime) -> list[str]:
    """Make the oldest pending delivery of each lane due, if none of it is; return the receivers.

    One for each delivery that became due.
    """
    return _make_due(connection, _PROMOTE, lanes, now=now)


# without that condition, which would cost a step for all that waits in the lane
_ADVANCE: Final = _heads_due("")


def advance(connection: Connection, lanes: Iterable[Lane], *, now: datetime) -> list[str]:
    """Do the same for lanes whose one due delivery has just ended, however much waits in them."""
    return _make_due(connection, _ADVANCE, lanes, now=now)


def _make_due(
    connection: Connection, heads: Statement, lanes: Iterable[Lane], *, now: datetime
) -> list[str]:
    rows = _rows(lanes)
    return list(heads.run(connection, rows=rows, now=milliseconds(now)).scalars()) if rows else []


def _rows(lanes: Iterable[Lane]) -> list[dict[str, Any]]:
    return [
        {"receiver": receiver, "subject_kind": kind, "subject_row": row}
        for receiver, kind, row in lanes
    ]
