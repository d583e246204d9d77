import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Connection, text

from monitor.core.batch import Origin
from monitor.core.errors import DataRefusedError
from monitor.storage.batches import register
from monitor.storage.batches.read import read_batch
from monitor.storage.batches.register import (
    Registration,
    RegistrationCounts,
    declare_batches,
    discover_batches,
    register_batches,
    unregister_batches,
)
from monitor.storage.database import Database, writing
from monitor.storage.sql import Statement, encode_rows
from tests.storage.store import MINUTE, NOW, Store, running


def wanted(*ids: str, source: str = "bolna", **about: Any) -> list[Registration]:
    return [Registration(source=source, id=id_, **about) for id_ in ids]


async def add(
    store: Store, *items: Registration, at: datetime = NOW, wake: bool = True
) -> RegistrationCounts:
    return await register_batches(store.database, items, origin=Origin.ADDED, now=at, wake=wake)


async def forget(store: Store, name: str) -> None:
    """Let a batch be no longer polled, as after it settled."""
    await store.run("UPDATE batches SET next_poll_at = NULL WHERE external_id = :id", id=name)


async def test_a_new_batch_is_due_at_once(store: Store) -> None:
    counted = await add(store, *wanted("b1", "b2"))

    claimed = await store.claim()
    assert counted == RegistrationCounts(new=2)
    assert [c.due_at for c in claimed.claims] == [NOW, NOW]
    assert {c.watch.batch.origin for c in claimed.claims} == {Origin.ADDED}
    assert len({c.watch.batch.key for c in claimed.claims}) == 2


async def test_a_watched_batch_goes_on_undisturbed(store: Store) -> None:
    await add(store, *wanted("b1"))
    await store.tell("b1")
    before = await store.rows("SELECT * FROM batches")

    counted = await add(store, *wanted("b1"), at=NOW + MINUTE)

    assert counted == RegistrationCounts(known=1)
    assert await store.rows("SELECT * FROM batches") == before


async def test_adding_a_batch_under_way_does_not_touch_its_claim(store: Store) -> None:
    await add(store, *wanted("b1"))
    claim = await store.claim_one()

    await add(store, *wanted("b1"))

    assert len((await store.write(store.record_of(claim, running()))).claims) == 1


async def test_the_same_id_twice_in_one_go_is_one_batch(store: Store) -> None:
    counted = await add(store, *wanted("b1", "b1", "b2"))

    assert counted == RegistrationCounts(new=2, known=1)


async def test_the_same_id_at_two_sources_is_two_batches(store: Store) -> None:
    counted = await add(store, *wanted("b1"), *wanted("b1", source="vogent"))

    assert counted == RegistrationCounts(new=2)


async def test_removing_keeps_the_row_and_tells_what_was_watched(store: Store) -> None:
    await add(store, *wanted("b1", "b2"))

    first = await unregister_batches(store.database, "bolna", ["b1", "nobody"])
    again = await unregister_batches(store.database, "bolna", ["b1"])
    elsewhere = await unregister_batches(store.database, "vogent", ["b2"])

    assert (first, again, elsewhere) == ({"b1"}, set(), set())
    assert await store.value("SELECT count(*) FROM batches") == 2


async def test_adding_again_goes_on_with_the_sequence_from_a_new_first_reading(
    store: Store,
) -> None:
    await add(store, *wanted("b1"))
    await store.tell("b1")
    await store.tell("b1")
    first_key = (await store.claim_one()).watch.batch.key
    await unregister_batches(store.database, "bolna", ["b1"])

    counted = await add(store, *wanted("b1"), at=NOW + MINUTE)

    watch = (await store.claim_one(at=NOW + MINUTE)).watch
    assert counted == RegistrationCounts(again=1)
    assert (watch.known, watch.observed_at, watch.failures.polls) == (None, None, 0)
    assert (watch.sequence, watch.snapshots, watch.batch.key) == (2, 2, first_key)
    assert watch.last_poll_at == NOW  # no two polls of a batch share a time


async def test_a_batch_added_again_is_told_anew(store: Store) -> None:
    await add(store, *wanted("b1"))
    await store.tell("b1")
    await unregister_batches(store.database, "bolna", ["b1"])
    await add(store, *wanted("b1"), at=NOW + MINUTE)

    claim = await store.claim_one(at=NOW + MINUTE)
    await store.write(store.record_of(claim, running(), at=NOW + MINUTE))

    rows = await store.rows("SELECT sequence, type FROM events ORDER BY sequence")
    assert [tuple(row) for row in rows] == [(1, "batch.first_seen"), (2, "batch.first_seen")]
    assert await store.value("SELECT count(DISTINCT id) FROM events") == 2


async def test_adding_again_takes_the_new_origin(store: Store) -> None:
    await declare_batches(store.database, wanted("b1"), now=NOW)
    await declare_batches(store.database, [], now=NOW)

    await add(store, *wanted("b1"))

    assert await store.value("SELECT origin FROM batches") == "added"


async def test_adding_wakes_a_forgotten_batch(store: Store) -> None:
    await add(store, *wanted("b1", "b2"))
    await store.tell("b1", "b2")
    await forget(store, "b1")

    counted = await add(store, *wanted("b1", "b2"), at=NOW + MINUTE)

    assert counted == RegistrationCounts(woken=1, known=1)
    (claim,) = [c for c in (await store.claim(at=NOW + MINUTE)).claims if c.watch.batch.id == "b1"]
    assert claim.due_at == NOW + MINUTE
    assert claim.watch.known is not None


async def test_a_forgotten_batch_can_be_left_asleep(store: Store) -> None:
    await add(store, *wanted("b1"))
    await forget(store, "b1")

    counted = await add(store, *wanted("b1"), wake=False)

    assert counted == RegistrationCounts(known=1)
    assert (await store.claim()).claims == []


@pytest.mark.parametrize(
    ("again", "name", "labels"),
    [
        ({}, "first", {"team": "a"}),
        ({"name": "second"}, "second", {"team": "a"}),
        ({"labels": {"env": "prod"}}, "first", {"env": "prod"}),
        ({"labels": {}}, "first", {}),
        ({"name": "ä\"'\\", "labels": {"ä": "'\""}}, "ä\"'\\", {"ä": "'\""}),
    ],
)
async def test_name_and_labels_are_kept_or_replaced(
    store: Store, again: dict[str, Any], name: str, labels: dict[str, str]
) -> None:
    await add(store, *wanted("b1", name="first", labels={"team": "a"}))

    await add(store, *wanted("b1", **again))

    batch = (await store.claim_one()).watch.batch
    assert (batch.name, batch.labels) == (name, labels)


async def test_what_the_file_no_longer_declares_is_no_longer_watched(store: Store) -> None:
    await add(store, *wanted("added"))
    first = await declare_batches(
        store.database, [*wanted("b1", "b2"), *wanted("v1", source="vogent")], now=NOW
    )

    second = await declare_batches(store.database, wanted("b2", "b3"), now=NOW)

    rows = await store.rows("SELECT external_id FROM batches WHERE watched ORDER BY external_id")
    assert [row[0] for row in rows] == ["added", "b2", "b3"]
    assert (first, second) == (RegistrationCounts(new=3), RegistrationCounts(new=1, known=1))


async def test_declaring_what_was_added_leaves_it_added(store: Store) -> None:
    await add(store, *wanted("b1"))
    await declare_batches(store.database, wanted("b1"), now=NOW)

    await declare_batches(store.database, [], now=NOW)

    assert await store.value("SELECT origin FROM batches WHERE watched") == "added"


async def test_declaring_again_at_every_start_wakes_nothing(store: Store) -> None:
    await declare_batches(store.database, wanted("b1"), now=NOW)
    await forget(store, "b1")

    await declare_batches(store.database, wanted("b1"), now=NOW)

    assert (await store.claim()).claims == []


@pytest.mark.parametrize("name", ["\ud800", "a\x00b"])
async def test_a_name_that_no_database_keeps_registers_nothing(store: Store, name: str) -> None:
    with pytest.raises(DataRefusedError, match="refuses a value"):
        await add(store, *wanted("b1"), *wanted("b2", name=name))

    assert await store.value("SELECT count(*) FROM batches") == 0


@writing
def compared(connection: Connection, statement: Statement, values: dict[str, Any]) -> int:
    """Run a statement on Postgres; return how many pairs of rows it compared for nothing."""
    explained = text(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement['postgresql'].text}")

    def count(node: dict[str, Any]) -> int:
        removed = node.get("Rows Removed by Join Filter", 0) * node["Actual Loops"]
        return int(removed) + sum(map(count, node.get("Plans", ())))

    return count(connection.execute(explained, values).scalar_one()[0]["Plan"])


@pytest.mark.parametrize("forgotten", [False, True])
async def test_without_statistics_postgres_does_not_compare_all_with_all(
    postgres_store: Store, forgotten: bool
) -> None:
    """As after a first registration, or a dump that was played back: nobody has analyzed."""
    known = [f"{number:032x}" for number in range(register._CHUNK)]
    await add(postgres_store, *wanted(*known))
    if forgotten:
        await postgres_store.run("UPDATE batches SET next_poll_at = NULL")
    more = wanted(*(f"A{id_[1:]}" for id_ in known))
    values = {
        "rows": encode_rows(map(register._row, more)),
        "origin": "added",
        "now": 0,
        "found": False,
    }
    pairs = {}

    for name in ("_LOCK", "_RESPELL", "_AGAIN", "_AWAKEN", "_DESCRIBE", "_KEPT", "_REMOVE"):
        statement = getattr(register, name)
        given = {key: values[key] for key in values if f":{key}" in statement["postgresql"].text}
        pairs[name] = await compared(postgres_store.database, statement, given)

    assert {name: number for name, number in pairs.items() if number > 10 * len(known)} == {}


async def test_registering_many_costs_little(sqlite_store: Store) -> None:
    many = wanted(*(f"{n:032x}" for n in range(40_000)))

    began = time.process_time()
    first = await add(sqlite_store, *many)
    again = await add(sqlite_store, *many)

    assert (first, again) == (RegistrationCounts(new=40_000), RegistrationCounts(known=40_000))
    assert time.process_time() - began < 8


async def discover(store: Store, *ids: str, at: datetime = NOW) -> int:
    return await discover_batches(store.database, "bolna", ids, now=at)


async def test_a_discovered_batch_is_due_at_once(store: Store) -> None:
    assert await discover(store, "b1", "b2") == 2

    claimed = await store.claim()
    assert [c.due_at for c in claimed.claims] == [NOW, NOW]
    assert {c.watch.batch.origin for c in claimed.claims} == {Origin.DISCOVERED}
    assert {c.watch.batch.name for c in claimed.claims} == {None}


async def test_discovery_touches_nothing_that_was_ever_registered(store: Store) -> None:
    await add(store, *wanted("watched", "removed", "forgotten"))
    await unregister_batches(store.database, "bolna", ["removed"])
    await forget(store, "forgotten")
    before = await store.rows("SELECT * FROM batches ORDER BY id")

    found = await discover(store, "watched", "removed", "forgotten", at=NOW + MINUTE)

    assert found == 0
    assert await store.rows("SELECT * FROM batches ORDER BY id") == before


async def test_one_id_of_two_sources_is_two_batches(store: Store) -> None:
    await add(store, *wanted("b1", source="vogent"))

    assert await discover(store, "b1") == 1


async def test_adding_a_discovered_batch_describes_it_and_leaves_it_discovered(
    store: Store,
) -> None:
    await discover(store, "b1")

    counted = await add(store, *wanted("b1", name="January", labels={"team": "red"}))

    (row,) = await store.rows("SELECT origin, name, labels FROM batches")
    assert counted == RegistrationCounts(known=1)
    assert tuple(row) == ("discovered", "January", '{"team": "red"}')


async def test_a_discovered_batch_that_is_removed_and_added_again_is_an_added_one(
    store: Store,
) -> None:
    await discover(store, "b1")
    await unregister_batches(store.database, "bolna", ["b1"])

    counted = await add(store, *wanted("b1"))

    assert counted == RegistrationCounts(again=1)
    assert await store.value("SELECT origin FROM batches") == "added"


async def test_daemons_that_find_the_same_at_once_register_it_once(
    store: Store, database_url: str, open_database: Callable[[str], Database]
) -> None:
    others = [open_database(database_url) for _ in range(3)]
    ids = [f"b{n}" for n in range(200)]

    found = await asyncio.gather(
        *(discover_batches(other, "bolna", ids, now=NOW) for other in others)
    )

    assert sum(found) == 200


BARE = "3c90c3cc0d444b5088888dd25736052a"
DASHED = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
NOTATIONS = (BARE, DASHED, DASHED.upper())


async def ids(store: Store) -> list[str]:
    return [row[0] for row in await store.rows("SELECT external_id FROM batches WHERE watched")]


@pytest.mark.parametrize("first", NOTATIONS)
async def test_one_uuid_is_one_batch_however_it_comes(store: Store, first: str) -> None:
    await add(store, *wanted(first))
    await store.tell(first)

    again = await add(store, *wanted(*NOTATIONS), at=NOW + MINUTE)
    found = await discover_batches(store.database, "bolna", NOTATIONS, now=NOW)
    declared = await declare_batches(store.database, wanted(NOTATIONS[0]), now=NOW)

    assert (again, found, declared) == (RegistrationCounts(known=3), 0, RegistrationCounts(known=1))
    assert await ids(store) == [first]


async def test_several_notations_in_one_go_are_one_batch(store: Store) -> None:
    assert await add(store, *wanted(*NOTATIONS)) == RegistrationCounts(new=1, known=2)


async def test_what_the_file_writes_anew_stays_declared(store: Store) -> None:
    await declare_batches(store.database, wanted(BARE), now=NOW)
    await store.tell(BARE)

    for notation in NOTATIONS:
        await declare_batches(store.database, wanted(notation), now=NOW)
        assert await ids(store) == [BARE]

    await declare_batches(store.database, [], now=NOW)
    assert await ids(store) == []


async def test_any_notation_removes_and_finds_it(store: Store) -> None:
    await add(store, *wanted(BARE))

    found = await read_batch(store.database, "bolna", DASHED.upper())
    removed = await unregister_batches(store.database, "bolna", [DASHED])

    assert found is not None
    assert found.watch.batch.id == BARE
    assert removed == {BARE}


async def test_until_it_was_read_the_last_notation_counts(store: Store) -> None:
    """A provider may know its ids in one of them only, which it gives when asked for them."""
    await add(store, *wanted(DASHED))

    assert await discover_batches(store.database, "bolna", [BARE], now=NOW) == 0
    assert await ids(store) == [BARE]

    await add(store, *wanted(DASHED.upper()))
    assert await ids(store) == [DASHED.upper()]


async def test_ids_that_differ_in_capitals_alone_are_different_batches(store: Store) -> None:
    assert await add(store, *wanted("Batch-a", "batch-a", "batcha")) == RegistrationCounts(new=3)
