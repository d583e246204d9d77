import asyncio
import errno
import os
import sqlite3
import stat
import struct
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.util import await_only

from monitor.core.errors import (
    ConfigError,
    DataRefusedError,
    MonitorError,
    NoDatabaseError,
    StorageError,
)
from monitor.storage.database import Database
from monitor.storage.schema.version import migrate
from monitor.storage.servers import sqlite
from monitor.storage.sql import encode_rows
from tests.conftest import Until
from tests.descriptors import no_descriptors
from tests.patient import HANG
from tests.postgres import Postgres
from tests.storage.store import Store

Open = Callable[[str], Database]


@pytest.mark.parametrize(
    "url",
    ["", "nonsense", "mysql://a@b/c", "sqlite://", "sqlite:///", "sqlite:///:memory:", "x:y:z"],
)
def test_a_url_of_anything_else_is_a_mistake_of_the_config(url: str) -> None:
    with pytest.raises(ConfigError, match=r"must be sqlite:///path/to/file\.db or postgresql://"):
        Database(url)


def test_an_old_sqlite_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.storage.servers.sqlite._OLDEST", (99, 0, 0))

    with pytest.raises(ConfigError, match=r"SQLite 3\.35 or newer is needed, this is 3\."):
        Database("sqlite:///a.db")


def test_the_password_shows_nowhere() -> None:
    database = Database("postgresql://user:s3cret%40%25@host/name")

    assert database.place == "postgresql://user:***@host/name"
    assert database.file is None


async def test_a_unit_of_work_is_committed_as_a_whole(store: Store) -> None:
    await store.run("INSERT INTO instances VALUES ('one', 1)")

    assert await store.value("SELECT seen_at FROM instances") == 1


async def test_a_unit_of_work_that_raises_is_rolled_back_and_its_error_passed_on(
    store: Store,
) -> None:
    def work(connection: Connection) -> None:
        connection.execute(text("INSERT INTO instances VALUES ('one', 1)"))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await store.database.write(work)

    assert await store.rows("SELECT * FROM instances") == []


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("INSERT INTO instances VALUES ('one', NULL)", DataRefusedError),
        ("INSERT INTO nowhere VALUES (1)", StorageError),
        ("this is no SQL", StorageError),
    ],
)
async def test_foreign_errors_get_our_names(
    store: Store, statement: str, kind: type[MonitorError]
) -> None:
    with pytest.raises(StorageError) as caught:
        await store.run(statement)

    assert type(caught.value) is kind
    assert store.database.place in str(caught.value)


async def test_an_error_shows_no_values_and_one_line(store: Store) -> None:
    with pytest.raises(StorageError) as caught:
        await store.run("INSERT INTO nowhere VALUES (:phone)", phone="+19876543007")

    assert "9876543007" not in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_work_goes_on_after_an_error(store: Store) -> None:
    for _ in range(5):
        with pytest.raises(StorageError):
            await store.run("this is no SQL")

    assert await store.value("SELECT 1") == 1


async def test_work_goes_on_after_work_that_was_cancelled(store: Store, until: Until) -> None:
    """Cancelled while they wait or work, units of work must not keep their connection."""
    working: list[Connection] = []

    def write(connection: Connection) -> None:
        working.append(connection)
        connection.execute(text("INSERT INTO instances VALUES ('one', 1) ON CONFLICT DO NOTHING"))
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_sleep(10)"))

    for begun in (False, False, True):
        tasks = [asyncio.create_task(store.database.write(write)) for _ in range(3)]
        await until(lambda b=begun: bool(working) or not b)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    await store.run("INSERT INTO instances VALUES ('two', 1)")
    ended = [] if store.database.dialect == "postgresql" else ["one"]  # threads end what they begin
    found = await store.rows("SELECT name FROM instances ORDER BY name")
    assert [row[0] for row in found] == [*ended, "two"]


async def test_the_clock_is_the_databases(database: Database) -> None:
    now = await database.now()

    assert abs(now - datetime.now(UTC)) < timedelta(seconds=5)
    assert now.utcoffset() == timedelta()


async def test_closing_twice_or_unused_is_no_harm(database_url: str) -> None:
    database = Database(database_url)

    await database.close()
    await database.now()
    await database.close()
    await database.close()


async def test_a_file_that_is_not_there_is_no_database_yet(
    tmp_path: Path, open_database: Open
) -> None:
    database = open_database(f"sqlite:///{tmp_path}/none.db")

    with pytest.raises(NoDatabaseError, match=r"no database at .*none\.db yet: `monitor run`"):
        await Store(database).value("SELECT 1")

    assert os.listdir(tmp_path) == []  # noqa: PTH208 (pathlib's would block, ruff finds)


async def test_a_folder_that_is_not_there_is_named(tmp_path: Path, open_database: Open) -> None:
    database = open_database(f"sqlite:///{tmp_path}/gone/a.db")

    with pytest.raises(StorageError, match=r"there is no folder .*/gone for the database: make it"):
        await migrate(database)


async def test_a_reader_of_a_folder_that_is_not_there_is_told_the_same(
    tmp_path: Path, open_database: Open
) -> None:
    database = open_database(f"sqlite:///{tmp_path}/gone/a.db")

    with pytest.raises(StorageError, match=r"there is no folder .*/gone for the database: make it"):
        await Store(database).value("SELECT 1")


async def test_a_path_that_cannot_be_looked_at_is_named(
    tmp_path: Path, open_database: Open
) -> None:
    database = open_database(f"sqlite:///{tmp_path}/{'long' * 100}")

    with pytest.raises(StorageError, match=r"/longlong.* cannot be opened: File name too long"):
        await Store(database).value("SELECT 1")


async def test_a_file_that_is_no_database_is_named(tmp_path: Path, open_database: Open) -> None:
    file = tmp_path / "a.db"
    file.write_text("these are notes, and no database at all" * 100)

    with pytest.raises(StorageError, match=r"a\.db failed: it is no SQLite database: give"):
        await migrate(open_database(f"sqlite:///{file}"))


async def test_only_the_owner_may_read_the_file_and_what_lies_beside_it(
    tmp_path: Path, open_database: Open
) -> None:
    mask = os.umask(0)
    try:
        database = open_database(f"sqlite:///{tmp_path}/a.db")
        await migrate(database)
        files = {file.name: stat.S_IMODE(file.stat().st_mode) for file in os.scandir(tmp_path)}
    finally:
        os.umask(mask)

    assert files == {"a.db": 0o600, "a.db-wal": 0o600, "a.db-shm": 0o600}


async def test_the_file_is_set_up_for_durability(sqlite_store: Store) -> None:
    def settings(connection: Connection) -> dict[str, Any]:
        return {
            name: connection.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }

    assert await sqlite_store.database.write(settings) == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 5000,
    }
    assert await sqlite_store.value("PRAGMA auto_vacuum") == 2


async def test_readers_see_one_state_while_somebody_writes(sqlite_store: Store) -> None:
    begun, written = threading.Event(), threading.Event()

    def count_twice(connection: Connection) -> tuple[int, int]:
        before = connection.execute(text("SELECT count(*) FROM instances")).scalar_one()
        begun.set()
        assert written.wait(10)
        after = connection.execute(text("SELECT count(*) FROM instances")).scalar_one()
        return before, after

    seen = asyncio.create_task(sqlite_store.database.read(count_twice))
    assert await asyncio.to_thread(begun.wait, 10)
    await sqlite_store.run("INSERT INTO instances VALUES ('one', 1)")
    written.set()

    assert await seen == (0, 0)
    assert await sqlite_store.value("SELECT count(*) FROM instances") == 1


async def test_a_file_held_by_somebody_else_is_waited_for_and_then_named(
    impatient_sqlite: None, sqlite_store: Store
) -> None:
    assert sqlite_store.database.file is not None
    with closing(sqlite3.connect(sqlite_store.database.file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")

        with pytest.raises(StorageError, match=r"\.db failed: database is locked"):
            await sqlite_store.run("INSERT INTO instances VALUES ('one', 1)")

    await sqlite_store.run("INSERT INTO instances VALUES ('one', 1)")


async def test_what_nobody_waits_for_any_more_is_not_done_once_the_file_is_free(
    sqlite_store: Store, until: Until
) -> None:
    """As by Ctrl-C, while another process holds the file."""
    await sqlite_store.run("DELETE FROM instances")
    writers: Any = sqlite_store.database._server
    begun: list[Connection] = []

    @event.listens_for(writers._crews[True]._engine, "engine_connect")
    def note(connection: Connection) -> None:
        begun.append(connection)

    with closing(sqlite3.connect(sqlite_store.database.file or "", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        insert = sqlite_store.run("INSERT INTO instances VALUES ('one', 1)")
        task = asyncio.create_task(insert)
        await until(lambda: begun != [])
        assert not task.done()
        task.cancel()
        await asyncio.wait([task])
        other.execute("COMMIT")

    await sqlite_store.run("INSERT INTO instances VALUES ('two', 1)")
    assert await sqlite_store.rows("SELECT name FROM instances") == [("two",)]


async def test_a_full_disk_is_named_and_nothing_half_is_kept(sqlite_store: Store) -> None:
    pages = await sqlite_store.value("PRAGMA page_count")
    await sqlite_store.run(f"PRAGMA max_page_count = {pages}")

    def work(connection: Connection) -> None:
        for number in range(1000):
            connection.execute(
                text("INSERT INTO instances VALUES (:name, 1)"), {"name": f"{number:060}"}
            )

    with pytest.raises(StorageError, match="database or disk is full"):
        await sqlite_store.database.write(work)

    assert await sqlite_store.rows("SELECT * FROM instances") == []


async def test_statements_and_locks_on_postgres_have_an_end(postgres_store: Store) -> None:
    shown = {
        name: await postgres_store.value(f"SHOW {name}")
        for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    }

    assert list(shown.values()) == ["10s", "2s", "5s"]


async def test_a_client_that_stands_still_amid_a_statement_keeps_its_locks_for_seconds(
    postgres_store: Store, until: Until
) -> None:
    """The server takes such a session for active: neither idle nor in a statement of its own."""
    await postgres_store.run("INSERT INTO instances VALUES ('one', 1)")
    half = b"P" + struct.pack(">i", 16) + b"\0SELECT 1\0\0\0" + b"B"  # a whole Parse, then a Bind

    async def is_free() -> bool:
        try:
            await postgres_store.run("UPDATE instances SET seen_at = 2")
        except StorageError:
            return False
        return True

    def stand_still(connection: Connection) -> None:
        connection.execute(text("UPDATE instances SET seen_at = 3"))
        raw = connection.connection.driver_connection
        os.write(raw.fileno(), half)  # type: ignore[union-attr]
        await_only(until(is_free))
        freed.append(True)

    freed: list[bool] = []
    with pytest.raises(StorageError):
        await postgres_store.database.write(stand_still)
    assert freed


async def test_a_connection_that_was_cut_is_an_error_and_the_next_one_works(
    postgres_store: Store, postgres: Postgres
) -> None:
    await postgres_store.value("SELECT 1")
    postgres.cut(postgres_store.database.place)

    failures = 0
    for _ in range(3):
        try:
            await postgres_store.value("SELECT 1")
        except StorageError:
            failures += 1

    assert failures <= 1
    assert await postgres_store.value("SELECT 1") == 1


async def test_a_server_that_is_not_there_is_named_without_its_password(
    tmp_path: Path, open_database: Open
) -> None:
    database = open_database(f"postgresql://user:s3cret@/name?host={tmp_path}")

    with pytest.raises(StorageError) as caught:
        await database.now()

    assert "s3cret" not in str(caught.value)
    assert quote(str(tmp_path), safe="") in str(caught.value)


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, "a\x00b", "\ud800"])
def test_values_that_would_not_come_back_are_refused(value: Any) -> None:
    with pytest.raises(DataRefusedError, match="the database refuses a value") as caught:
        encode_rows([{"name": "good"}, {"name": value}])

    assert repr(value) not in str(caught.value)


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63), "\\u0000", "ä\U0001f4de", True, None, 1.5])
def test_values_that_come_back_are_taken(value: Any) -> None:
    assert encode_rows([{"name": value}]).startswith('[{"name": ')


async def test_a_process_that_is_to_end_waits_no_longer_for_a_file_that_is_held(
    sqlite_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    pragmas = (f"PRAGMA busy_timeout = {1000 * HANG:.0f}", *sqlite._PRAGMAS[1:])
    monkeypatch.setattr(sqlite, "_PRAGMAS", pragmas)
    began = time.monotonic()
    sqlite_store.database.hurry()
    with closing(sqlite3.connect(sqlite_store.database.file or "", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        for _ in range(2):  # over a connection that is open, and over a fresh one
            with pytest.raises(StorageError, match="database is locked"):
                await sqlite_store.run("INSERT INTO instances VALUES ('one', 1)")
            await sqlite_store.database.close()
    assert time.monotonic() - began < HANG


def test_a_password_among_the_options_is_not_shown_either() -> None:
    database = Database("postgresql://host/name?user=ops&password=marked")

    assert "marked" not in database.place
    assert "host/name" in database.place


async def test_a_link_that_leads_nowhere_yet_leads_to_a_file_that_nobody_else_reads(
    tmp_path: Path,
) -> None:
    (tmp_path / "disk").mkdir()
    link, file = tmp_path / "monitor.db", tmp_path / "disk" / "real.db"
    link.symlink_to(file)
    database = Database(f"sqlite:///{link}")

    await database.write(lambda connection: connection.execute(text("CREATE TABLE t (n)")))
    await database.close()

    assert link.is_symlink()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_a_link_into_a_folder_that_is_not_there_says_which(tmp_path: Path) -> None:
    link = tmp_path / "monitor.db"
    link.symlink_to(tmp_path / "disk" / "real.db")
    database = Database(f"sqlite:///{link}")

    with pytest.raises(StorageError, match=rf"there is no folder {tmp_path}/disk "):
        await database.write(lambda connection: connection.execute(text("CREATE TABLE t (n)")))
    await database.close()


@pytest.mark.parametrize("how", ["removed", "replaced by another file"])
async def test_a_file_that_went_takes_no_more_until_it_is_back(tmp_path: Path, how: str) -> None:
    file, elsewhere = tmp_path / "monitor.db", tmp_path / "elsewhere.db"
    database = Database(f"sqlite:///{file}")
    await database.write(lambda connection: connection.execute(text("CREATE TABLE t (n)")))
    file.rename(elsewhere)
    if how != "removed":
        file.write_bytes(b"")

    def insert(connection: Connection) -> None:
        connection.execute(text("INSERT INTO t VALUES (1)"))

    def count(connection: Connection) -> int:
        return int(connection.execute(text("SELECT count(*) FROM t")).scalar_one())

    for _ in range(2):
        with pytest.raises(StorageError, match=f"{file} was {how} while it was in use"):
            await database.write(insert)
        with pytest.raises(StorageError, match=f"{file} was {how} while it was in use"):
            await database.read(count)
    assert file.exists() == (how != "removed")
    elsewhere.rename(file)
    await database.write(insert)

    assert await database.read(count) == 1
    await database.close()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this system shows no open files")
async def test_what_outgrows_its_cache_goes_to_no_file(tmp_path: Path) -> None:
    """A read-only root has no folder for one, and /var/tmp may be full."""
    database = Database(f"sqlite:///{tmp_path}/monitor.db")

    def spill(connection: Connection) -> list[str]:
        connection.execute(text("CREATE TEMP TABLE t (n, filler)"))
        connection.execute(
            text(
                "INSERT INTO t WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1"
                " FROM numbers WHERE n < 20000) SELECT n, zeroblob(500) FROM numbers"
            )
        )
        opened = []
        for handle in Path("/proc/self/fd").iterdir():
            with suppress(FileNotFoundError):  # that of the folder itself
                opened.append(str(handle.readlink()))
        return [path for path in opened if "etilqs" in path]

    assert await database.write(spill) == []
    await database.close()


@pytest.mark.parametrize("slashes", [3, 4])
@pytest.mark.parametrize("name", ["a b.db", "100%.db", "a#c.db", "b\udcff.db"])
async def test_a_file_may_have_any_name(tmp_path: Path, name: str, slashes: int) -> None:
    """Templates make one slash too many: `sqlite:////` and an absolute path."""
    database = Database(f"sqlite:{'/' * slashes}{tmp_path}/{name}")

    await database.write(lambda connection: connection.execute(text("CREATE TABLE t (n)")))
    await database.close()

    assert (tmp_path / name).stat().st_size > 0


async def test_a_file_that_cannot_be_looked_at_is_not_said_to_be_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(f"sqlite:///{tmp_path}/monitor.db")
    await database.write(lambda connection: connection.execute(text("CREATE TABLE t (n)")))

    def refuse(path: Path) -> os.stat_result:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", refuse)
        with pytest.raises(StorageError, match="cannot be opened: Permission denied"):
            await database.write(lambda connection: connection.execute(text("SELECT 1")))
    await database.close()


async def test_a_file_that_no_descriptor_is_left_for_is_not_blamed(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/monitor.db")
    await migrate(database)
    await database.close()

    with no_descriptors(), pytest.raises(StorageError, match="no more files can be opened"):
        await database.read(lambda connection: connection.execute(text("SELECT 1")))
