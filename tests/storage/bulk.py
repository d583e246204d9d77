"""A large database made by bulk SQL: batches, a long history that is done, and a dead receiver."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from monitor.storage.sources import register_sources
from tests.storage.store import NOW, Store

SOURCES = 20
DAY = timedelta(days=1)
CHUNK = 50_000
"""Rows of one statement: Postgres ends those that take longer than 10 s."""


async def fill_batches(store: Store, number: int, *, at: datetime = NOW) -> None:
    """Register batches; those of s1 are due, of the others a minute later; a seventh runs."""
    names = {f"s{source}": "bolna" for source in range(SOURCES)}
    store.sources |= await register_sources(store.database, names)
    columns = {
        "source": f"'s' || (i % {SOURCES})",
        "external_id": f"'b' || (i / {SOURCES})",
        "identity": f"'b' || (i / {SOURCES})",
        "key": "''",
        "origin": "'added'",
        "watched": "TRUE",
        "registered_at": "0",
        "next_poll_at": f"CASE WHEN i % {SOURCES} = 1 THEN :now ELSE :now + 60000 + i END",
        "sequence": "10",
        "snapshots": "10",
        "last_poll_at": ":now - 60000 - i",
        "observed_at": ":now - 60000 - i",
        "status": "CASE WHEN i % 7 = 1 THEN 'running' ELSE 'completed' END",
        "phase": "CASE WHEN i % 7 = 1 THEN 'running' ELSE 'ended' END",
        "counts": """'{"completed": 5, "no-answer": 2, "ringing": 3}'""",
        "open_calls": "3",
        "total_contacts": "10",
        "changed_at": ":now - 90000",
        "phase_since": ":now - 90000",
        "born_final": "FALSE",
    }
    await _insert(store, "batches", columns, number, at=at)


async def fill_history(
    store: Store, number: int, *, batches: int, since: timedelta = 40 * DAY, at: datetime = NOW
) -> None:
    """Add snapshots, events, deliveries to `crm` and attempts, so many of each, all of it done.

    They happened one after the other from `since` ago until an hour ago, to one batch after the
    other.
    """
    first = await store.value("SELECT COALESCE(max(id), 0) + 1 FROM deliveries")
    step = int(since.total_seconds() * 1000) // number
    happened = f":now - 3600000 - {step} * ({number} - i)"
    subject = {"subject_kind": "'batch'", "subject_row": f"i % {batches} + 1"}
    sequence = f"-1 - i / {batches}"  # before those of the polls to come
    snapshots = {
        "batch": subject["subject_row"],
        "number": sequence,
        "at": happened,
        "status": "'running'",
        "phase": "'running'",
        "open_calls": "3",
    }
    events = subject | {"id": "'evt_' || i", "sequence": sequence, "at": happened}
    deliveries = subject | {
        "id": f"{first} + i",
        "event": "'evt_' || i",
        "receiver": "'crm'",
        "sequence": sequence,
        "state": "'delivered'",
        "attempts": "1",
        "enqueued_at": happened,
        "delivered_at": happened,
    }
    attempts = {
        "delivery": f"{first} + i",
        "at": happened,
        "duration_ms": "12",
        "verdict": "'delivered'",
        "status_code": "200",
    }
    await _insert(store, "snapshots", snapshots, number, at=at)
    await _insert(store, "events", events | _content(store), number, at=at)
    await _insert(store, "deliveries", deliveries, number, at=at)
    await _insert(store, "attempts", attempts, number, at=at)
    if store.database.dialect == "postgresql":
        await store.run("SELECT setval('deliveries_id_seq', (SELECT max(id) FROM deliveries))")


async def fill_backlog(
    store: Store, number: int, *receivers: str, lane: int = 10, at: datetime = NOW
) -> None:
    """Owe so many events to each receiver, in lanes of ten of which only the head is due."""
    about = {
        "subject_kind": "'batch'",
        "subject_row": f"i / {lane} + 1",
        "sequence": f"i % {lane} + 1000000",
    }
    id_ = "'evt_owed' || i"
    events = about | {"id": id_, "at": ":now - 60000"} | _content(store)
    deliveries = about | {
        "event": id_,
        "state": "'pending'",
        "due_at": f"CASE WHEN i % {lane} = 0 THEN :now - 1 END",
        "enqueued_at": ":now - 60000",
    }
    await _insert(store, "events", events, number, at=at)
    for receiver in receivers:
        await _insert(
            store, "deliveries", deliveries | {"receiver": f"'{receiver}'"}, number, at=at
        )


def _content(store: Store) -> dict[str, str]:
    blob = "blob" if store.database.dialect == "sqlite" else "bytea"
    body = f"CAST('{'{}' * 300}' AS {blob})"
    return {"type": "'batch.progressed'", "body": body, "routing": "'{}'"}


async def _insert(
    store: Store, table: str, columns: Mapping[str, str], number: int, *, at: datetime
) -> None:
    """Insert rows whose columns are expressions of their number `i`."""
    statement = (
        f"INSERT INTO {table} ({', '.join(columns)})"  # noqa: S608 (ours)
        " WITH RECURSIVE n(i) AS (SELECT CAST(:first AS bigint)"
        " UNION ALL SELECT i + 1 FROM n WHERE i < :last)"
        f" SELECT {', '.join(columns.values())} FROM n"
    )
    for first in range(0, number, CHUNK):
        last = min(first + CHUNK, number) - 1
        now = int(at.timestamp() * 1000)
        values = {"first": first, "last": last, "now": now}
        named = {name: value for name, value in values.items() if f":{name}" in statement}
        await store.run(statement, **named)
