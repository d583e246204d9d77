"""Wholeness: what is true of a SQLite database after every commit, and of no half of one."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

_SUBJECTS: Final = """
    SELECT 'batch' AS kind, id AS row, sequence FROM batches
    UNION ALL SELECT 'source', id, coalesce(json_extract(health, '$.sequence'), 0) FROM sources
    UNION ALL SELECT 'receiver', id, sequence FROM receivers
"""
_TOLD: Final = """
    SELECT subject_kind AS kind, subject_row AS row, min(sequence) AS first, max(sequence) AS last,
        count(*) AS number FROM events GROUP BY 1, 2
"""

RULES: Final = {
    "a subject's sequence is its last event's": f"""
        SELECT count(*) FROM ({_SUBJECTS}) AS s LEFT JOIN ({_TOLD}) AS t USING (kind, row)
        WHERE s.sequence <> coalesce(t.last, iif(:pruned, s.sequence, 0))""",  # noqa: S608 (ours)
    "a subject's events have no gap": f"""
        SELECT count(*) FROM ({_TOLD}) WHERE number <> last - first + 1
            OR (first <> 1 AND NOT :pruned)""",  # noqa: S608 (ours)
    "a batch counts its snapshots": """
        SELECT count(*) FROM batches AS b LEFT JOIN (SELECT batch, max(number) AS last,
            count(*) AS number FROM snapshots GROUP BY 1) AS s ON s.batch = b.id
        WHERE NOT :pruned AND (b.snapshots <> coalesce(s.last, 0)
            OR b.snapshots <> coalesce(s.number, 0))""",
    "a batch is known as in its last snapshot": """
        SELECT count(*) FROM batches AS b JOIN snapshots AS s
            ON s.batch = b.id AND s.number = b.snapshots
        WHERE (s.status, s.phase, s.counts) IS NOT (b.status, b.phase, b.counts)""",
    "an event has the deliveries that it owes": """
        SELECT count(*) FROM events AS e WHERE
            (SELECT json_group_array(value) FROM
                (SELECT value FROM json_each(e.routing, '$.receivers') ORDER BY 1))
            <> (SELECT json_group_array(receiver) FROM
                (SELECT receiver FROM deliveries AS d WHERE d.event = e.id ORDER BY 1))""",
    "the head of a lane is due, and nothing else": """
        SELECT count(*) FROM (SELECT due_at, sequence = min(sequence) OVER
            (PARTITION BY receiver, subject_kind, subject_row) AS head
            FROM deliveries WHERE state = 'pending') WHERE head <> (due_at IS NOT NULL)""",
    "what is not pending is not due": """
        SELECT count(*) FROM deliveries
        WHERE state <> 'pending' AND (due_at IS NOT NULL OR lease_owner IS NOT NULL)""",
    "what is delivered has the attempt that did it": """
        SELECT count(*) FROM deliveries AS d WHERE (d.state = 'delivered') <>
            (SELECT count(*) FROM attempts AS a WHERE a.delivery = d.id
                AND a.verdict = 'delivered')""",
    "attempts are counted": """
        SELECT count(*) FROM deliveries AS d WHERE d.attempts <> (SELECT count(*)
            FROM attempts AS a WHERE a.delivery = d.id AND a.verdict <> 'hold')""",
    "a claimed batch has its lease, others none": """
        SELECT count(*) FROM batches WHERE (lease_owner IS NULL) <> (due_at IS NULL)""",
    "references lead somewhere": "SELECT count(*) FROM pragma_foreign_key_check",
}
"""What each must find none of; `:pruned` where retention may have taken events."""


def halves(connection: sqlite3.Connection, *, pruned: bool = False) -> list[str]:
    """Return the rules that the database breaks."""
    broken = [
        rule
        for rule, statement in RULES.items()
        if connection.execute(
            statement, {"pruned": pruned} if ":pruned" in statement else {}
        ).fetchone()[0]
    ]
    (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    return broken if found == "ok" else [*broken, f"SQLite: {found}"]


def find_halves(file: Path, *, pruned: bool = False) -> list[str]:
    """Return the rules that a database file breaks, as it can be read now."""
    with closing(sqlite3.connect(file)) as connection:
        return halves(connection, pruned=pruned)
