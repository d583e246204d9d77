"""Lanes: the pending deliveries of one receiver and subject, of which only the head is due."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, text

from monitor.core.event import SubjectKind
from monitor.storage.rows import DIALECTS, encode_rows, rows_of
from monitor.storage.times import milliseconds

Lane = tuple[str, str, int]
"""Receiver, subject kind, subject row."""
Subject = tuple[SubjectKind, int]


def lock_subjects(connection: Connection, subjects: Iterable[Subject]) -> None:
    """Lock batches, sources and receivers, each in row order, as every writer of lanes does."""
    if connection.dialect.name == "sqlite":
        return
    distinct = set(subjects)
    for kind, statement in _LOCK_SUBJECTS.items():
        rows = [row for subject, row in distinct if subject is kind]
        if rows:
            connection.execute(statement, {"rows": rows})


def busy_lanes(connection: Connection, lanes: Iterable[Lane]) -> set[Lane]:
    """Return those of the lanes that have a pending delivery."""
    rows = [{"receiver": r, "subject_kind": kind, "subject_row": row} for r, kind, row in lanes]
    found = connection.execute(_BUSY[connection.dialect.name], {"rows": encode_rows(rows)})
    return {(row[0], row[1], row[2]) for row in found}


def promote(connection: Connection, lanes: Iterable[Lane], *, now: datetime) -> list[str]:
    """Make the oldest pending delivery of each lane due, if none of it is; return the receivers.

    One for each delivery that became due.
    """
    return _make_due(connection, _PROMOTE, lanes, now=now)


def advance(connection: Connection, lanes: Iterable[Lane], *, now: datetime) -> list[str]:
    """Do the same for lanes whose one due delivery has just ended, however much waits in them."""
    return _make_due(connection, _ADVANCE, lanes, now=now)


def _make_due(
    connection: Connection, statements: Mapping[str, Any], lanes: Iterable[Lane], *, now: datetime
) -> list[str]:
    rows = [{"receiver": r, "subject_kind": kind, "subject_row": row} for r, kind, row in lanes]
    if not rows:
        return []
    found = connection.execute(
        statements[connection.dialect.name], {"rows": encode_rows(rows), "now": milliseconds(now)}
    )
    return [row[0] for row in found]


_LANE: Final = {"receiver": "text", "subject_kind": "text", "subject_row": "bigint"}


_ONE_BY_ONE: Final = " LIMIT 1 OFFSET 0"
"""Keeps Postgres from reading all that is pending instead, as it does without good statistics."""


def _busy_statement(dialect: str) -> Any:
    return text(
        "SELECT r.receiver, r.subject_kind, r.subject_row"  # noqa: S608 (ours)
        f" FROM {rows_of(dialect, _LANE)} WHERE EXISTS (SELECT 1 FROM deliveries AS d"
        " WHERE d.state = 'pending' AND d.receiver = r.receiver"
        f" AND d.subject_kind = r.subject_kind AND d.subject_row = r.subject_row{_ONE_BY_ONE})"
    )


_NONE_DUE: Final = (
    " WHERE NOT EXISTS (SELECT 1 FROM deliveries AS d WHERE d.state = 'pending'"  # noqa: S608 (ours)
    " AND d.due_at IS NOT NULL AND d.receiver = r.receiver"
    f" AND d.subject_kind = r.subject_kind AND d.subject_row = r.subject_row{_ONE_BY_ONE})"
)
"""Reads a lane to its end when none is, and it may be long."""


def _heads_statement(dialect: str, condition: str) -> Any:
    heads = (
        "SELECT (SELECT d.id FROM deliveries AS d WHERE d.state = 'pending'"  # noqa: S608 (ours)
        " AND d.receiver = r.receiver AND d.subject_kind = r.subject_kind"
        " AND d.subject_row = r.subject_row ORDER BY d.sequence LIMIT 1)"
        f" FROM {rows_of(dialect, _LANE)}" + condition
    )
    chosen = f"IN ({heads})" if dialect == "sqlite" else f"= ANY (ARRAY({heads}))"
    return text(
        f"UPDATE deliveries SET due_at = :now WHERE due_at IS NULL AND id {chosen}"  # noqa: S608 (ours)
        " RETURNING receiver"
    )


_BUSY: Final = {dialect: _busy_statement(dialect) for dialect in DIALECTS}
_PROMOTE: Final = {dialect: _heads_statement(dialect, _NONE_DUE) for dialect in DIALECTS}
_ADVANCE: Final = {dialect: _heads_statement(dialect, "") for dialect in DIALECTS}
_LOCK_SUBJECTS: Final = {
    kind: text(f"SELECT id FROM {table} WHERE id = ANY(:rows) ORDER BY id FOR UPDATE")  # noqa: S608 (ours)
    for kind, table in (
        (SubjectKind.BATCH, "batches"),
        (SubjectKind.SOURCE, "sources"),
        (SubjectKind.RECEIVER, "receivers"),
    )
}
