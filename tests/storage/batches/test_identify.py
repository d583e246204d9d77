"""Batches that an older program registers beside ours, on a Postgres amid a rolling upgrade."""

from monitor.storage.batches.identify import identify_batches
from monitor.storage.batches.read import read_batch
from monitor.storage.batches.register import declare_batches, unregister_batches
from tests.storage.batches.test_register import BARE, DASHED, wanted
from tests.storage.store import NOW, Store


async def by_an_older_program(store: Store, *ids: str) -> None:
    await store.add(*ids)
    await store.run("UPDATE batches SET identity = NULL, origin = 'file'")


async def test_they_get_their_identity(store: Store) -> None:
    await by_an_older_program(store, "plain", DASHED.upper())

    await identify_batches(store.database)

    rows = await store.rows("SELECT external_id, identity FROM batches")
    assert {row[0]: row[1] for row in rows} == {"plain": "plain", DASHED.upper(): BARE}
    assert await unregister_batches(store.database, "bolna", [BARE]) == {BARE}


async def test_a_start_or_reload_finds_them_declared(store: Store) -> None:
    await by_an_older_program(store, "kept", "left")

    await declare_batches(store.database, wanted("kept"), now=NOW)

    watched = await store.rows("SELECT external_id FROM batches WHERE watched")
    assert [row[0] for row in watched] == ["kept"]


async def test_one_that_is_watched_already_in_another_notation_is_given_up(store: Store) -> None:
    await by_an_older_program(store, DASHED)
    await store.add(BARE)

    await identify_batches(store.database)

    one = await read_batch(store.database, "bolna", DASHED)
    assert one is not None
    assert one.watch.batch.id == BARE
    assert await store.value("SELECT count(*) FROM batches WHERE watched") == 1
