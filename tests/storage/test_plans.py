"""Every statement that meets a large table finds its rows by an index, statistics or not."""

import pkgutil
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from sqlalchemy import Connection, Engine, TextClause, event

from monitor import storage
from tests.storage.acts import ACTS
from tests.storage.bulk import fill_backlog, fill_batches, fill_history
from tests.storage.store import Store

ROOM = f"{storage.__name__}."
LARGE = ("batches", "snapshots", "events", "deliveries", "attempts")
ALIASES = "|".join((*LARGE, "a", "b", "d", "e", "o"))
ROWS = 40_000

MAY_READ_ALL = {
    "counts._BATCHES": "a count of all, for the gauges",
    "counts._PENDING": "a count of what is pending, by the index of it",
    "deliveries.read._CHOSEN": "for people: it goes back from the newest until a page is full",
    "deliveries.read._PENDING": "for people, of what is pending, by the index of it",
    "deliveries.read._LAST_HOLD": "for people: it goes back from the newest attempt",
    "batches.read._SUSPECT": "for people: it goes back from the newest until a page is full",
    "deliveries.debts._UNDELIVERED": "for people: all that is pending or dead",
    "events.read._IDS": "for people: no index knows how ids begin in every collation",
    "deliveries.redeliver._OF_RECEIVER": "for people, a redelivery of all that is dead, say",
    "batches.identify._UNIDENTIFIED": "what an older program registered, by the index of it",
    "batches.register._FROM_FILE": "the batches of the file, by the index of them",
    "upkeep._HEED": "after the clock was put back, of what is pending",
    "upkeep._STUCK": "once a minute, of what is pending, by the index of it",
}
"""Statements that read a table, or an index, from end to end, and why they may."""
RELEASES = ("_RELEASE", "_RELEASE_ALL")
"""What alone is to go by the index of what is leased."""
FOR_PEOPLE = (".read.", ".redeliver.")
"""Whose statements serve commands: they may need statistics."""


def known_statements(dialect: str) -> dict[int, str]:
    """Name the room's statements that meet a large table, by identity, the other database's not."""
    return {
        id(statement): f"{module.name.removeprefix(ROOM)}.{name}"
        for module in pkgutil.walk_packages(storage.__path__, ROOM)
        for name, value in vars(import_module(module.name)).items()
        for statement in _statements_of(value, dialect)
        if any(table in statement.text for table in LARGE)
    }


def _statements_of(value: Any, dialect: str) -> Iterator[TextClause]:
    """Return a statement, or those that a tuple or a dictionary holds."""
    items = enumerate(value) if isinstance(value, tuple) else [((), value)]
    other = {"sqlite", "postgresql"} - {dialect}
    for key, item in value.items() if isinstance(value, dict) else items:
        keys = key if isinstance(key, tuple) else (key,)
        locks = "FOR UPDATE" in str(item) and dialect == "sqlite"  # which has nothing to lock
        if isinstance(item, TextClause) and not locks and not other.intersection(map(str, keys)):
            yield item


@contextmanager
def statements() -> Iterator[list[tuple[Any, str, Any]]]:
    """Collect what is executed, as it was written and as the driver gets it."""
    seen: list[tuple[Any, str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, values: Any, context: Any, *_: Any) -> None:
        one = values[0] if values and isinstance(values, list) else values
        if re.match("SELECT|UPDATE|DELETE|INSERT", statement):
            values = one if isinstance(one, dict) else tuple(one)
            seen.append((context.invoked_statement, statement, values))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def all_scans(store: Store, done: Mapping[tuple[str, str], Any]) -> dict[str, list[str]]:
    """Return the statements that read something large from end to end, and what that is."""
    found: dict[str, list[str]] = {}
    for (name, statement), values in done.items():
        scans = await store.database.write(full_scans, statement, values)
        if scans:
            found[f"{name}: {statement}"] = scans
    return found


def full_scans(connection: Connection, statement: str, values: Any) -> list[str]:
    """Name the large tables, or indexes of theirs, that a statement reads from end to end."""
    if connection.dialect.name == "sqlite":
        plan: Any = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        # a search without an index reads all, and so does one that makes an index for itself
        whole = rf"SCAN ({ALIASES})\b|SEARCH ({ALIASES})($| USING AUTOMATIC)"
        return [row[3] for row in plan if re.match(whole, row[3])]
    plan = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", values)
    return list(_scans(plan.scalar()[0]["Plan"]))


def by_lease(connection: Connection, done: Mapping[tuple[str, str], Any]) -> set[str]:
    """Name the statements that go by the index of what is leased, which may be thousands."""
    explain = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
    return {
        name
        for (name, statement), values in done.items()
        if "_leased" in str(connection.exec_driver_sql(f"{explain} {statement}", values).all())
    }


def _scans(node: dict[str, Any], above: str = "") -> Iterator[str]:
    kind, index = node["Node Type"], node.get("Index Name", "")
    table = node.get("Relation Name") or index.partition("_")[2]
    bounded = above == "Limit" and "Filter" not in node  # the newest, say
    if table.startswith(LARGE) and (
        kind == "Seq Scan" or (index and "Index Cond" not in node and not bounded)
    ):
        yield f"{kind} on {table} {index} {node.get('Filter', '')}"
    for part in node.get("Plans", []):
        yield from _scans(part, kind)


async def test_no_statement_reads_a_large_table_from_end_to_end(store: Store) -> None:
    dialect = store.database.dialect
    names = known_statements(dialect)
    await fill_batches(store, ROWS)
    await fill_history(store, ROWS, batches=ROWS // 10)
    await fill_backlog(store, ROWS // 20, "crm", "ops")
    done: dict[tuple[str, str], Any] = {}

    for act, do in ACTS.items():
        with statements() as seen:
            await do(store)
        assert seen, act
        for written, statement, values in seen:
            done[names.get(id(written), act), statement] = values
    leased = await store.database.write(by_lease, done)
    checked = {key: values for key, values in done.items() if key[0] not in MAY_READ_ALL}
    found = {}
    if dialect == "postgresql":  # which has no statistics of a database just restored
        found = await all_scans(
            store,
            {
                key: values
                for key, values in checked.items()
                if not any(room in key[0] for room in FOR_PEOPLE)
            },
        )
        await store.run("ANALYZE")
    found |= await all_scans(store, checked)

    assert "\n".join(f"{scan}: {statement}" for statement, scan in found.items()) == ""
    assert leased <= {f"{of}.claim.{n}" for of in ("batches", "deliveries") for n in RELEASES}
    assert {*names.values()} - {name for name, _ in done} == set(), "no act does these"
