import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect

from monitor.core.errors import NoDatabaseError, SchemaError
from monitor.storage.database import Database
from monitor.storage.schema.tables import metadata
from monitor.storage.schema.version import (
    NEWEST,
    VERSION_TABLE,
    check_schema,
    migrate,
    migrate_if_missing,
)
from tests.patient import HANG
from tests.storage.store import Store

Open = Callable[[str], Database]
MIGRATE = """
import asyncio, os, sys
from alembic import command
from monitor.storage.database import Database
from monitor.storage.schema.version import migrate

async def run():
    database = Database(sys.argv[1])
    version = (await migrate(database))[1]
    os.write(1, f"{version}\\n".encode())  # in one: others write there, too
    await database.close()

children = []
for _ in range(int(sys.argv[2])):
    child = os.fork()
    if not child:
        asyncio.run(run())
        os._exit(0)
    children.append(child)
sys.exit(max(os.waitpid(child, 0)[1] for child in children) and 1)
"""
"""Imports first and forks then: the processes begin at the same moment."""


async def set_version(database: Database, version: str) -> None:
    statement = f"UPDATE {VERSION_TABLE} SET version_num = :version"  # noqa: S608 (ours)
    await Store(database).run(statement, version=version)


async def test_an_empty_database_is_brought_to_the_newest_schema(
    empty_url: str, open_database: Open
) -> None:
    database = open_database(empty_url)

    assert await migrate(database) == (None, NEWEST)
    await check_schema(database)


async def test_migrating_again_changes_nothing(database: Database) -> None:
    assert await migrate(database) == (NEWEST, NEWEST)


async def test_many_connections_migrate_at_once(empty_url: str, open_database: Open) -> None:
    databases = [open_database(empty_url) for _ in range(8)]

    found = await asyncio.gather(*(migrate(database) for database in databases))

    assert sorted(found, key=str) == sorted([(None, NEWEST)] + [(NEWEST, NEWEST)] * 7, key=str)


def test_many_processes_migrate_at_once(empty_url: str) -> None:
    command = [sys.executable, "-W", "error", "-c", MIGRATE, empty_url, "8"]

    ended = subprocess.run(command, capture_output=True, timeout=HANG, check=False)  # noqa: S603 (ours)

    assert (ended.stdout.decode().split(), ended.stderr, ended.returncode) == ([NEWEST] * 8, b"", 0)


async def test_the_tables_in_code_are_those_of_the_migrations(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        options = {
            "compare_type": True,
            "compare_server_default": True,
            "version_table": VERSION_TABLE,
        }
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, metadata))

    assert await database.write(differences) == []


async def test_the_partial_indexes_are_partial_on_both(database: Database) -> None:
    """Alembic compares no conditions of indexes."""

    def conditions(connection: Connection) -> dict[str, str]:
        dialect = database.dialect
        return {
            str(index["name"]): str(index["dialect_options"].get(f"{dialect}_where", ""))
            for table in ("batches", "deliveries")
            for index in inspect(connection).get_indexes(table)
            if not index["unique"]
        }

    found = await database.read(conditions)

    batches = {
        f"ix_batches_{name}" for name in ("due", "running", "declared", "leased", "unidentified")
    }
    deliveries = {f"ix_deliveries_{name}" for name in ("due", "lane", "leased")}
    assert set(found) == batches | deliveries
    assert "next_poll_at IS NOT NULL" in found["ix_batches_due"]
    assert "running" in found["ix_batches_running"]
    assert "watched" in found["ix_batches_declared"]
    for of in ("batches", "deliveries"):
        assert "lease_owner IS NOT NULL" in found[f"ix_{of}_leased"]
    assert "due_at IS NOT NULL" in found["ix_deliveries_due"]
    assert all("pending" in found[f"ix_deliveries_{name}"] for name in ("due", "lane"))


async def test_a_newer_schema_stops_everybody_and_both_are_named(database: Database) -> None:
    await set_version(database, "9999")

    for act in (migrate, check_schema, migrate_if_missing):
        with pytest.raises(SchemaError, match=rf"9999, newer than this program's {NEWEST}"):
            await act(database)


async def test_an_older_schema_stops_readers_and_both_are_named(
    database: Database,
) -> None:
    await set_version(database, "0001")

    for act in (check_schema, migrate_if_missing):
        with pytest.raises(SchemaError, match=r"schema 0001, this program needs 0004: run `mon"):
            await act(database)


async def test_the_newest_schema_is_that_of_the_last_migration() -> None:
    versions = Path(__file__).parents[3] / "migrations" / "versions"

    assert max(file.name for file in versions.glob("*.py")).startswith(f"{NEWEST}_")


async def test_somebody_elses_database_is_refused(empty_url: str, open_database: Open) -> None:
    store = Store(open_database(empty_url))
    await store.run("CREATE TABLE batches (id INTEGER)")

    for act in (migrate, migrate_if_missing):
        with pytest.raises(SchemaError, match="a table `batches` that is not ours"):
            await act(store.database)

    assert await store.rows("SELECT * FROM batches") == []


@pytest.mark.parametrize("version", ["abcdef123456", "0001", NEWEST])
async def test_another_programs_version_is_neither_read_nor_written(
    empty_url: str, open_database: Open, version: str
) -> None:
    store = Store(open_database(empty_url))
    await store.run("CREATE TABLE alembic_version (version_num VARCHAR(32))")
    await store.run("INSERT INTO alembic_version VALUES (:version)", version=version)
    with pytest.raises(NoDatabaseError):
        await check_schema(store.database)

    assert await migrate(store.database) == (None, NEWEST)
    assert await migrate(store.database) == (NEWEST, NEWEST)

    assert await store.rows("SELECT version_num FROM alembic_version") == [(version,)]
    await check_schema(store.database)


async def before_its_own_name(database: Database, version: str) -> Store:
    """Let the version stand where an earlier program kept it."""
    store = Store(database)
    await store.run(f"DROP TABLE {VERSION_TABLE}")
    await store.run("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
    await store.run("INSERT INTO alembic_version VALUES (:version)", version=version)
    return store


async def test_a_version_under_its_former_name_is_read_and_moves_with_the_next_migration(
    database: Database,
) -> None:
    store = await before_its_own_name(database, NEWEST)
    await check_schema(database)

    assert await migrate(database) == (NEWEST, NEWEST)

    assert await store.rows("SELECT version_num FROM alembic_version") == []
    assert await store.rows(f"SELECT version_num FROM {VERSION_TABLE}") == [(NEWEST,)]  # noqa: S608 (ours)
    await check_schema(database)


async def test_an_older_version_under_its_former_name_says_what_to_do(database: Database) -> None:
    await before_its_own_name(database, "0002")

    with pytest.raises(SchemaError, match=r"schema 0002, this program needs 0004: run `mon"):
        await check_schema(database)


async def test_an_empty_database_is_no_database_to_readers(
    empty_url: str, open_database: Open
) -> None:
    database = open_database(empty_url)
    if database.file is not None:
        database.file.touch()

    with pytest.raises(NoDatabaseError, match=r"no database at .* yet"):
        await check_schema(database)


async def test_a_missing_schema_is_made_and_the_newest_left_alone(
    empty_url: str, open_database: Open
) -> None:
    database = open_database(empty_url)

    await migrate_if_missing(database)
    await migrate_if_missing(database)

    await check_schema(database)


async def test_a_migration_that_fails_leaves_nothing_behind(
    empty_url: str, open_database: Open
) -> None:
    store = Store(open_database(empty_url))
    await store.run("CREATE TABLE attempts (id INTEGER)")  # the last table that is made

    with pytest.raises(Exception, match="attempts"):
        await migrate(store.database)

    tables = await store.database.read(lambda connection: inspect(connection).get_table_names())
    assert tables == ["attempts"]
