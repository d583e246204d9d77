"""Databases of older versions, with what they hold, brought to the newest schema."""

from collections.abc import Callable
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Connection

from monitor.core.batch_id import identity_of
from monitor.storage.batches.read import read_batch
from monitor.storage.batches.register import discover_batches
from monitor.storage.database import Database
from monitor.storage.schema import version as schema
from tests.storage.store import NOW, Store

Open = Callable[[str], Database]


@pytest.fixture
async def old(empty_url: str, open_database: Open) -> Store:
    """Make a database with the schema that knew no silent ends."""
    database = open_database(empty_url)

    def upgrade(connection: Connection) -> None:
        config = schema._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")

    await database.write_patiently(upgrade)
    return Store(database)


async def insert(store: Store, name: str, **fields: Any) -> None:
    given = {
        "source": "bolna",
        "external_id": name,
        "key": "k",
        "origin": "added",
        "watched": True,
        "registered_at": 0,
        "status": "executed",
        "phase": "ended",
        "open_calls": 0,
        "born_final": False,
    }
    row = given | fields
    names, values = ", ".join(row), ", ".join(f":{column}" for column in row)
    await store.run(f"INSERT INTO batches ({names}) VALUES ({values})", **row)  # noqa: S608 (ours)


async def test_ends_that_were_never_told_come_late_and_old_news_stay_untold(old: Store) -> None:
    await insert(old, "running", status="running", phase="running", open_calls=3)
    await insert(old, "open", open_calls=3)
    await insert(old, "settled", settled_at=1)
    await insert(old, "found ended", origin="discovered", born_final=True, settled_at=1)
    await insert(old, "found running, ended open", origin="discovered", open_calls=3)

    await schema.migrate(old.database)

    found = await old.rows("SELECT external_id, born_final, found_first, settled_by FROM batches")
    assert {row[0]: (bool(row[1]), bool(row[2]), row[3]) for row in found} == {
        "running": (False, False, None),
        "open": (True, False, None),
        "settled": (False, False, None),
        "found ended": (True, True, None),
        "found running, ended open": (True, False, None),
    }


async def test_a_source_that_discovered_before_has_had_its_first_round(old: Store) -> None:
    await insert(old, "found", origin="discovered", settled_at=1)
    for name in ("bolna", "other"):
        await old.run(
            "INSERT INTO sources (name, provider, key) VALUES (:name, 'bolna', 'k')", name=name
        )

    await schema.migrate(old.database)

    found = await old.rows("SELECT name, listed_at FROM sources")
    assert {row[0]: row[1] for row in found} == {"bolna": 0, "other": None}


BARE = "3c90c3cc0d444b5088888dd25736052a"
DASHED = "3c90c3cc-0d44-4b50-8888-8dd25736052a"


async def test_of_one_uuid_that_was_watched_twice_the_first_goes_on(old: Store) -> None:
    await insert(old, DASHED.upper(), watched=False)
    await insert(old, DASHED, next_poll_at=1)
    await insert(old, BARE, next_poll_at=2)
    await insert(old, DASHED, source="other", next_poll_at=3)
    await insert(old, "plain", next_poll_at=4)
    await insert(old, "Plain", next_poll_at=5)

    await schema.migrate(old.database)

    found = await old.rows("SELECT external_id, watched, next_poll_at FROM batches ORDER BY id")
    assert [(row[0], bool(row[1]), row[2]) for row in found] == [
        (f"{DASHED.upper()} (twice)", False, None),
        (DASHED, True, 1),
        (f"{BARE} (twice)", False, None),
        (DASHED, True, 3),
        ("plain", True, 4),
        ("Plain", True, 5),
    ]
    for notation in (BARE, DASHED, DASHED.upper()):
        one = await read_batch(old.database, "bolna", notation)
        assert one is not None
        assert one.watch.batch.id == DASHED


async def test_the_notation_that_the_provider_knows_goes_on(old: Store) -> None:
    """It refuses the other one: of two that are watched it is the one that was read."""
    await insert(old, DASHED, next_poll_at=1)
    await insert(old, BARE, next_poll_at=2, observed_at=7)

    await schema.migrate(old.database)

    one = await read_batch(old.database, "bolna", DASHED)
    assert one is not None
    assert (one.watch.batch.id, one.watched) == (BARE, True)


async def test_a_notation_that_was_given_up_can_still_be_taken(old: Store) -> None:
    await insert(old, DASHED, next_poll_at=1)
    await insert(old, BARE, next_poll_at=2)
    await schema.migrate(old.database)

    await discover_batches(old.database, "bolna", [BARE], now=NOW)

    one = await read_batch(old.database, "bolna", DASHED)
    assert one is not None
    assert one.watch.batch.id == BARE


async def test_every_identity_is_what_the_program_makes_of_the_id(old: Store) -> None:
    names = [BARE, DASHED.upper().replace("C", "D"), f"{BARE}0", BARE[1:], f"{BARE[:-1]}g", "b-1"]
    for name in names:
        await insert(old, name)

    await schema.migrate(old.database)

    found = await old.rows("SELECT external_id, identity FROM batches")
    assert {row[0]: row[1] for row in found} == {name: identity_of(name) for name in names}
