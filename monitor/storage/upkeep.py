"""Upkeep: what keeps the tables small and the lanes moving."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.core.event import SubjectKind
from monitor.storage.database import DIALECTS, Database, encode_rows, rows_of
from monitor.storage.lanes import lock_subjects, promote
from monitor.storage.times import instant, milliseconds

CHUNK: Final = 500
DRIFT: Final = timedelta(seconds=2)
"""Less is drift."""


async def touch_instance(database: Database, name: str, *, now: datetime) -> None:
    """Say that an instance is alive; this is also the proof that the database takes writes."""
    async with database.writing() as connection:
        await connection.execute(_SEEN, {"name": name, "now": milliseconds(now)})


async def forget_instance(database: Database, name: str) -> None:
    """Say that an instance has ended."""
    async with database.writing() as connection:
        await connection.execute(_GONE, {"name": name})


async def heed_step_back(database: Database, *, now: datetime) -> timedelta:
    """Make due what was planned by a clock that has been put back since; return how far it was.

    Else all of it would wait for as long again.
    """
    async with database.writing() as connection:
        newest: datetime | None = instant((await connection.execute(_NEWEST_POLL)).scalar())
        ahead = timedelta() if newest is None else newest - now
        if ahead < DRIFT:
            return timedelta()
        for statement in _MAKE_DUE:
            await connection.execute(statement, {"now": milliseconds(now)})
        return ahead


async def repair_lanes(database: Database, *, now: datetime) -> int:
    """Make the head of every lane due that has none; expected 0, or an invariant was broken."""
    async with database.reading() as connection:
        stuck = [(row[0], row[1], row[2]) for row in await connection.execute(_STUCK)]
    if not stuck:
        return 0
    async with database.writing() as connection:
        subjects = [(SubjectKind(kind), row) for _, kind, row in stuck]
        await lock_subjects(connection, database.dialect, subjects)
        return len(await promote(connection, database.dialect, stuck, now=now))


async def expire_deliveries(
    database: Database, receiver: str, *, before: datetime, now: datetime
) -> int:
    """Give up deliveries owed since before `before`, the next of their lanes become due."""
    values = {"receiver": receiver, "before": milliseconds(before), "limit": CHUNK}
    async with database.reading() as connection:
        old = (await connection.execute(_OLD, values)).all()
    if not old:
        return 0
    async with database.writing() as connection:
        subjects = [(SubjectKind(row[1]), row[2]) for row in old]
        await lock_subjects(connection, database.dialect, subjects)
        rows = [{"row": row[0]} for row in old]
        await connection.execute(_GIVE_UP, rows)
        lanes = {(receiver, row[1], row[2]) for row in old}
        await promote(connection, database.dialect, lanes, now=now)
    return len(old)


async def prune(database: Database, *, before: datetime) -> int:
    """Delete up to 500 events older than `before` that owe nothing, with what hangs on them.

    Old snapshots go too. Returns how many rows went; none left: 0. Fails, changing nothing, when
    one of them is redelivered meanwhile.
    """
    values = {"before": milliseconds(before), "limit": CHUNK}
    async with database.writing() as connection:
        events = (await connection.execute(_OLD_EVENTS, values)).scalars().all()
        if events:
            wanted = {"rows": encode_rows([{"event": event} for event in events])}
            owed = (await connection.execute(_OWED[database.dialect], wanted)).all()
            await _delete(connection, "attempts", [row[1] for row in owed if row[1] is not None])
            await _delete(connection, "deliveries", {row[0] for row in owed})
            await _delete(connection, "events", events)
        snapshots = (await connection.execute(_OLD_SNAPSHOTS, values)).scalars().all()
        await _delete(connection, "snapshots", snapshots)
        return len(events) + len(snapshots)


async def _delete(connection: AsyncConnection, table: str, ids: Iterable[int | str]) -> None:
    """Delete rows one by one by their key, which no plan can read a whole table for."""
    rows = [{"id": id_} for id_ in ids]
    if rows:
        await connection.execute(_DELETE[table], rows)


def _owed_statement(dialect: str) -> Any:
    """Find the deliveries of events, and their attempts.

    Postgres goes event by event because of the OFFSET: a database that was never analyzed, as one
    just restored, else reads all deliveries and attempts for each event.
    """
    events = rows_of(dialect, {"event": "text"})
    if dialect == "sqlite":
        return text(
            f"SELECT d.id, a.id FROM {events} CROSS JOIN deliveries AS d ON d.event = r.event"  # noqa: S608 (ours)
            " LEFT JOIN attempts AS a ON a.delivery = d.id"
        )
    return text(
        f"SELECT d.id, a.id FROM {events}"  # noqa: S608 (ours)
        " CROSS JOIN LATERAL (SELECT id FROM deliveries WHERE event = r.event OFFSET 0) AS d"
        " LEFT JOIN LATERAL (SELECT id FROM attempts WHERE delivery = d.id OFFSET 0) AS a ON TRUE"
    )


_SEEN: Final = text(
    "INSERT INTO instances (name, seen_at) VALUES (:name, :now)"
    " ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at"
)
_GONE: Final = text("DELETE FROM instances WHERE name = :name")
_NEWEST_POLL: Final = text("SELECT max(last_poll_at) FROM batches")
_MAKE_DUE: Final = (
    text(
        "UPDATE batches SET next_poll_at = :now WHERE next_poll_at > :now AND lease_owner IS NULL"
    ),
    text(
        "UPDATE deliveries SET due_at = :now"
        " WHERE state = 'pending' AND due_at > :now AND lease_owner IS NULL"
    ),
    text("UPDATE receivers SET held_until = :now WHERE held_until > :now"),
    text("UPDATE sources SET blocked_until = :now WHERE blocked_until > :now"),
)
_STUCK: Final = text(
    "SELECT receiver, subject_kind, subject_row FROM deliveries WHERE state = 'pending'"
    " GROUP BY receiver, subject_kind, subject_row HAVING count(due_at) = 0"
)
# in the order of the lanes' index: by their numbers Postgres would read all there ever were
_OLD: Final = text(
    "SELECT id, subject_kind, subject_row FROM deliveries WHERE state = 'pending'"
    " AND receiver = :receiver AND enqueued_at < :before AND lease_owner IS NULL"
    " ORDER BY subject_kind, subject_row, sequence LIMIT :limit"
)
_GIVE_UP: Final = text(
    "UPDATE deliveries SET state = 'dead', due_at = NULL"
    " WHERE id = :row AND state = 'pending' AND lease_owner IS NULL"
)
# put so that Postgres looks at each event's deliveries, not at all that are pending
_OLD_EVENTS: Final = text(
    "SELECT id FROM events WHERE at < :before AND 'pending' NOT IN (SELECT state FROM deliveries"
    " WHERE deliveries.event = events.id) ORDER BY at LIMIT :limit"
)
_OLD_SNAPSHOTS: Final = text("SELECT id FROM snapshots WHERE at < :before ORDER BY at LIMIT :limit")
_OWED: Final = {dialect: _owed_statement(dialect) for dialect in DIALECTS}
_DELETE: Final = {
    "attempts": text("DELETE FROM attempts WHERE id = :id"),
    "deliveries": text("DELETE FROM deliveries WHERE id = :id AND state <> 'pending'"),
    "events": text("DELETE FROM events WHERE id = :id"),
    "snapshots": text("DELETE FROM snapshots WHERE id = :id"),
}
