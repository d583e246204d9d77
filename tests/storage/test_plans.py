import json
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.core.batch import Origin
from monitor.storage.batches import count_watched, due_sources
from monitor.storage.census import count_due
from monitor.storage.deliveries import due_receivers
from monitor.storage.receivers import lift_hold
from monitor.storage.registry import (
    Registration,
    discover_batches,
    register_batches,
    unregister_batches,
)
from monitor.storage.sources import register_sources
from monitor.storage.upkeep import expire_deliveries, prune
from tests.storage.store import NOW, Store, birth, running

LARGE = "batches|deliveries|events"
Statement = tuple[str, Any]
Act = Callable[[Store], Awaitable[Any]]


async def tell_many(store: Store) -> None:
    claimed = await store.claim(source="s1", want=300, rate=1e6)
    records = [
        store.record_of(claim, running(), receivers=("crm", "ops")) for claim in claimed.claims
    ]
    await store.write(*records, birth=birth({"crm": 8}))


async def probe(store: Store) -> None:
    await store.run("UPDATE sources SET blocked_until = 1 WHERE name = 's2'")
    assert len((await store.claim(source="s2")).claims) == 1


async def settle_some(store: Store) -> None:
    await store.settle(*await store.take("crm", limit=8))


async def expire_some(store: Store) -> None:
    await expire_deliveries(store.database, "ops", before=NOW - timedelta(days=40), now=NOW)


async def lift(store: Store) -> None:
    await lift_hold(store.database, "crm", now=NOW)


HOT: dict[str, Act] = {
    "a claim, a write-back, snapshots, events, deliveries": tell_many,
    "a probe of a blocked source": probe,
    "a claim of a pressed source": lambda store: store.claim(source="s1", want=8, dice=0.5),
    "how many batches are due": lambda store: count_due(store.database, now=NOW),
    "the registration of what was discovered": lambda store: discover_batches(
        store.database, "s4", ["b7", "new"], now=NOW
    ),
    "which sources are due": lambda store: due_sources(store.database),
    "which receivers are due": lambda store: due_receivers(store.database),
    "a claim of deliveries, their settling, the next of their lanes": settle_some,
    "the count of polled batches": lambda store: count_watched(store.database, "s3", limit=3),
    "deliveries that are given up": expire_some,
    "the end of a hold": lift,
    "the removal of a batch": lambda store: unregister_batches(store.database, "s4", ["b7"]),
    "the registration of a batch": lambda store: register_batches(
        store.database, [Registration(source="s4", id="b7")], origin=Origin.ADDED, now=NOW
    ),
    "old events": lambda store: prune(store.database, before=NOW - timedelta(days=30)),
}


@contextmanager
def statements() -> Iterator[list[Statement]]:
    """Collect what is executed, as the driver gets it."""
    seen: list[Statement] = []

    def note(_c: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE", "INSERT INTO batches")):
            one = values[0] if values and isinstance(values, list) else values
            seen.append((statement, one if isinstance(one, dict) else tuple(one)))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


FILL = (
    "INSERT INTO sources (name, provider, key) SELECT 's' || i, 'bolna', '' FROM n WHERE i < 20",
    # every source has 5,000 batches; those of s1 are due, of the others a minute later
    "INSERT INTO batches (source, external_id, key, origin, watched, registered_at, next_poll_at,"
    " phase, counts, failures, last_poll_at)"
    " SELECT 's' || (i % 20), 'b' || (i / 20), '', 'added', TRUE, 0,"
    " CASE WHEN i % 20 = 1 THEN :now ELSE :now + 60000 + i END,"
    " CASE WHEN i % 7 = 1 THEN 'running' ELSE 'ended' END,"
    ' \'{"completed": 5, "no-answer": 2, "ringing": 3}\', NULL, :now - i FROM n',
    "INSERT INTO snapshots (batch, number, at, status, phase, open_calls)"
    " SELECT i + 1, 0, :now - i * 30000, 'running', 'running', 3 FROM n",
    "INSERT INTO events (id, subject_kind, subject_row, sequence, type, at, body, routing)"
    " SELECT 'evt_' || i, 'batch', i / 20 + 1, i % 20 + 1000, 'batch.first_seen',"
    " :now - i * 30000, CAST(:body AS {blob}), '{}' FROM n",
    # the first hundred batches have lanes of twenty
    "INSERT INTO deliveries (event, receiver, subject_kind, subject_row, sequence, state, due_at,"
    " enqueued_at) SELECT id, 'crm', 'batch', subject_row, sequence,"
    " CASE WHEN subject_row <= 100 THEN 'pending' ELSE 'delivered' END,"
    " CASE WHEN subject_row <= 100 AND sequence = 1000 THEN :now END, at FROM events",
    "INSERT INTO deliveries (event, receiver, subject_kind, subject_row, sequence, state, due_at,"
    " enqueued_at) SELECT event, 'ops', subject_kind, subject_row, sequence, state, due_at,"
    " enqueued_at FROM deliveries",
)
ROWS = 100_000


async def fill(store: Store) -> None:
    """Fill the tables: most batches wait, most deliveries are done, some wait in long lanes."""
    numbers = (
        "WITH RECURSIVE n(i) AS"
        " (SELECT CAST(0 AS bigint) UNION ALL SELECT i + 1 FROM n WHERE i < :last - 1)"
    )
    blob = "blob" if store.database.dialect == "sqlite" else "bytea"
    values = {"now": int(NOW.timestamp() * 1000), "last": ROWS, "body": b"{}" * 100}
    for statement in FILL:
        into, select, rest = statement.replace("{blob}", blob).partition(" SELECT ")
        await store.run(f"{into} {numbers}{select}{rest}", **values)
    await store.run("ANALYZE")
    names = [f"s{number}" for number in range(5)]
    store.sources |= await register_sources(store.database, dict.fromkeys(names, "bolna"))


async def full_scans(
    connection: AsyncConnection, dialect: str, statement: str, values: Any
) -> list[str]:
    """Name the large tables that a statement reads from end to end."""
    if dialect == "sqlite":
        plan: Any = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        return [row[3] for row in plan if re.match(rf"SCAN ({LARGE}|d|e)\b", row[3])]
    plan = await connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", values)
    document: Any = plan.scalar()
    return list(_scans(document[0]["Plan"]))


def _scans(node: dict[str, Any]) -> Iterator[str]:
    if node["Node Type"] == "Seq Scan" and node["Relation Name"] in LARGE.split("|"):
        yield json.dumps({k: v for k, v in node.items() if k != "Plans"})
    parts: Sequence[dict[str, Any]] = node.get("Plans", [])
    for part in parts:
        yield from _scans(part)


async def test_no_hot_statement_reads_a_large_table_from_end_to_end(store: Store) -> None:
    await fill(store)
    found: dict[str, dict[str, list[str]]] = {}

    for name, act in HOT.items():
        with statements() as seen:
            await act(store)
        assert seen, name
        async with store.database.writing() as connection:
            for statement, values in seen:
                scans = await full_scans(connection, store.database.dialect, statement, values)
                if scans:
                    found.setdefault(name, {})[statement] = scans

    assert found == {}
