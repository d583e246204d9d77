"""Upkeep: what keeps the tables small and the lanes moving."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from sqlalchemy import Connection, text

from monitor.storage.database import Database, fetch, writing
from monitor.storage.deliveries.lanes import FREE, GIVE_UP, Lane, lock_lanes, promote
from monitor.storage.sql import CHUNK, Statement, from_milliseconds, milliseconds

DRIFT: Final = timedelta(seconds=2)
"""Less is drift."""

_Place: TypeAlias = tuple[int, int]
"""When a batch is due, and its row."""


# the latest time that anybody wrote: a claim draws tokens right before its polls, so no batch need
# be read for this
_NEWEST_SIGN: Final = text(
    "SELECT max(at) FROM (SELECT tokens_at AS at FROM sources"
    " UNION ALL SELECT seen_at FROM instances) AS signs"
)
# all that was planned by that clock but the batches, which may be a million
_HEED: Final = (
    text("UPDATE sources SET planned_ahead = TRUE"),
    text(
        "UPDATE deliveries SET due_at = :now"
        " WHERE state = 'pending' AND due_at > :now AND lease_owner IS NULL"
    ),
    text("UPDATE sources SET tokens_at = :now WHERE tokens_at > :now"),
    text("UPDATE instances SET seen_at = :now WHERE seen_at > :now"),
    text("UPDATE receivers SET held_until = :now WHERE held_until > :now"),
    text("UPDATE sources SET blocked_until = :now WHERE blocked_until > :now"),
)


@writing
def heed_step_back(connection: Connection, *, now: datetime) -> timedelta:
    """Make due what was planned by a clock put back since; return how far ahead that was.

    Else all of it would wait for as long again, and nothing would flow into a budget. Batches may
    be a million: their sources are marked, and `mend_plans` makes them due.
    """
    newest: datetime | None = from_milliseconds(connection.execute(_NEWEST_SIGN).scalar())
    ahead = timedelta() if newest is None else newest - now
    if ahead < DRIFT:
        return timedelta()
    for heed in _HEED:
        connection.execute(heed, {"now": milliseconds(now)})
    return ahead


# a source that `heed_step_back` has marked
_PLANNED_AHEAD: Final = text("SELECT name FROM sources WHERE planned_ahead ORDER BY id LIMIT 1")


async def mend_plans(database: Database, *, now: datetime) -> AsyncIterator[None]:
    """Make batches due that were planned by a clock put back since, some at each step."""
    while marked := await fetch(database, _PLANNED_AHEAD):
        source = marked[0].name
        place: _Place | None = (milliseconds(now), 0)
        while place is not None:
            place = await _mend_some(database, source, place, now=now)
            yield
        await _end_mending(database, source)


# batches planned for after a place, in the order of the index
_PLANS: Final = text(
    "SELECT id, next_poll_at, last_poll_at, registered_at FROM batches WHERE source = :source"
    " AND (next_poll_at, id) > (:at, :row) AND next_poll_at IS NOT NULL"
    " ORDER BY next_poll_at, id LIMIT :limit"
)
# one batch, unless its plan was moved or it was claimed meanwhile
_MEND_PLAN: Final = text(
    "UPDATE batches SET next_poll_at = :now"
    " WHERE id = :row AND next_poll_at > :now AND lease_owner IS NULL"
)


@writing
def _mend_some(
    connection: Connection, source: str, place: _Place, *, now: datetime
) -> _Place | None:
    """Mend some of those planned for after a place; return the last one's, if there may be more."""
    values = {"source": source, "at": place[0], "row": place[1], "limit": CHUNK}
    some = connection.execute(_PLANS, values).all()
    planned = [
        {"row": row, "now": milliseconds(now)}
        for row, _, read_at, registered_at in some
        if read_at is None or max(read_at, registered_at) > milliseconds(now)
    ]
    if planned:
        connection.execute(_MEND_PLAN, planned)
    return (some[-1].next_poll_at, some[-1].id) if len(some) == CHUNK else None


# the mark goes
_MENDED: Final = text("UPDATE sources SET planned_ahead = NULL WHERE name = :source")


@writing
def _end_mending(connection: Connection, source: str) -> None:
    connection.execute(_MENDED, {"source": source})


# lanes without a head, by the index of the lanes
_STUCK: Final = text(
    "SELECT receiver, subject_kind, subject_row FROM deliveries WHERE state = 'pending'"
    " GROUP BY receiver, subject_kind, subject_row HAVING count(due_at) = 0"
)


async def repair_lanes(database: Database, *, now: datetime) -> int:
    """Make the head of every lane due that has none; expected 0, or an invariant was broken."""
    stuck = [(receiver, kind, row) for receiver, kind, row in await fetch(database, _STUCK)]
    return await _unstick(database, stuck, now=now) if stuck else 0


@writing
def _unstick(connection: Connection, stuck: Sequence[Lane], *, now: datetime) -> int:
    lock_lanes(connection, stuck)
    return len(promote(connection, stuck, now=now))


# some of a receiver's, in the order of the lanes' index: by their numbers Postgres would read all
# there ever were
_OLD: Final = text(
    "SELECT id, subject_kind, subject_row FROM deliveries WHERE receiver = :receiver"
    f" AND enqueued_at < :before AND {FREE}"
    " ORDER BY subject_kind, subject_row, sequence LIMIT :limit"
)


async def expire_deliveries(
    database: Database, receiver: str, *, before: datetime, now: datetime
) -> int:
    """Give up deliveries owed since before `before`, the next of their lanes become due."""
    values = {"receiver": receiver, "before": milliseconds(before), "now": milliseconds(now)}
    found = await fetch(database, _OLD, {**values, "limit": CHUNK})
    if found:
        old = {row: (receiver, kind, subject) for row, kind, subject in found}
        await _give_up(database, old, now=now)
    return len(found)


# one, unless it was claimed since it was found
_GIVE_UP: Final = text(f"{GIVE_UP} WHERE id = :row AND {FREE}")


@writing
def _give_up(connection: Connection, old: Mapping[int, Lane], *, now: datetime) -> None:
    lock_lanes(connection, old.values())
    connection.execute(_GIVE_UP, [{"row": row, "now": milliseconds(now)} for row in old])
    promote(connection, set(old.values()), now=now)


# some events that owe nothing; put so that Postgres looks at each event's deliveries, not at all
# that are pending
_OLD_EVENTS: Final = text(
    "SELECT id FROM events WHERE at < :before AND 'pending' NOT IN (SELECT state FROM deliveries"
    " WHERE deliveries.event = events.id) ORDER BY at LIMIT :limit"
)
# the deliveries of events, and their attempts: Postgres goes event by event because of the OFFSET;
# a database that was never analyzed, as one just restored, else reads all of them for each event
_OWED: Final = Statement(
    "SELECT d.id, a.id FROM {rows} CROSS JOIN deliveries AS d ON d.event = r.event"
    " LEFT JOIN attempts AS a ON a.delivery = d.id",
    postgresql="SELECT d.id, a.id FROM {rows}"
    " CROSS JOIN LATERAL (SELECT id FROM deliveries WHERE event = r.event OFFSET 0) AS d"
    " LEFT JOIN LATERAL (SELECT id FROM attempts WHERE delivery = d.id OFFSET 0) AS a ON TRUE",
    rows="event text",
)
# some readings
_OLD_SNAPSHOTS: Final = text("SELECT id FROM snapshots WHERE at < :before ORDER BY at LIMIT :limit")


@writing
def prune(connection: Connection, *, before: datetime) -> int:
    """Delete up to 500 events older than `before` that owe nothing, with what hangs on them.

    Old snapshots go too. Returns how many rows went; none left: 0. Fails, changing nothing, when
    one of them is redelivered meanwhile: its delivery stays, and keeps its event.
    """
    values = {"before": milliseconds(before), "limit": CHUNK}
    events = connection.execute(_OLD_EVENTS, values).scalars().all()
    if events:
        owed = _OWED.run(connection, rows=[{"event": event} for event in events]).all()
        _delete(connection, "attempts", [attempt for _, attempt in owed if attempt is not None])
        _delete(connection, "deliveries", {delivery for delivery, _ in owed})
        _delete(connection, "events", events)
    snapshots = connection.execute(_OLD_SNAPSHOTS, values).scalars().all()
    _delete(connection, "snapshots", snapshots)
    return len(events) + len(snapshots)


# rows one by one by their key, which no plan can read a whole table for
_DELETE: Final = {
    "attempts": text("DELETE FROM attempts WHERE id = :id"),
    "deliveries": text("DELETE FROM deliveries WHERE id = :id AND state <> 'pending'"),
    "events": text("DELETE FROM events WHERE id = :id"),
    "snapshots": text("DELETE FROM snapshots WHERE id = :id"),
}


def _delete(connection: Connection, table: str, ids: Iterable[int | str]) -> None:
    rows = [{"id": id_} for id_ in ids]
    if rows:
        connection.execute(_DELETE[table], rows)
