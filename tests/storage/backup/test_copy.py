import os
import resource
import signal
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from monitor.core.errors import DatabaseLockedError, NoDatabaseError, SchemaError, StorageError
from monitor.storage.backup import copy as backup
from monitor.storage.backup.copy import back_up, restore
from monitor.storage.backup.part import part_of
from monitor.storage.database import Database
from monitor.storage.schema.version import NEWEST
from monitor.storage.servers.lock import hold_file
from tests.storage.store import MINUTE, NOW, Store


@pytest.fixture
async def live(sqlite_store: Store) -> Store:
    """Fill a database, whose last commits are in its log alone, and keep it open."""
    await sqlite_store.add("b1")
    for minute in range(3):
        await sqlite_store.tell("b1", at=NOW + minute * MINUTE)
    return sqlite_store


def path_of(store: Store) -> Path:
    assert store.database.file is not None
    return store.database.file


def events_in(file: Path) -> int:
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        (number,) = connection.execute("SELECT count(*) FROM events").fetchone()
        return int(number)


def names(folder: Path, prefix: str) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith(prefix))


async def test_a_back_up_is_one_private_file_with_what_was_committed(
    live: Store, tmp_path: Path
) -> None:
    to = tmp_path / "copy.db"

    contents = back_up(path_of(live), to, force=False)

    assert (contents.schema, contents.events) == (NEWEST, 3)
    assert contents.newest == NOW + 2 * MINUTE
    assert contents.size == to.stat().st_size
    assert stat.S_IMODE(to.stat().st_mode) == 0o600
    assert events_in(to) == 3
    assert names(tmp_path, "copy") == ["copy.db"]


async def test_the_daemon_goes_on_writing_after_a_back_up(live: Store, tmp_path: Path) -> None:
    back_up(path_of(live), tmp_path / "copy.db", force=False)

    await live.tell("b1", at=NOW + 5 * MINUTE)

    assert events_in(tmp_path / "copy.db") == 3
    assert await live.value("SELECT count(*) FROM events") == 4


async def test_a_file_that_is_there_is_replaced_only_by_force(live: Store, tmp_path: Path) -> None:
    to = tmp_path / "copy.db"
    to.write_text("precious")

    with pytest.raises(StorageError, match=r"is there already: name another file, or .*--force"):
        back_up(path_of(live), to, force=False)
    kept = to.read_text()
    back_up(path_of(live), to, force=True)

    assert kept == "precious"
    assert events_in(to) == 3


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", "-journal", ".lock", ".part", ".replaced"])
async def test_the_databases_own_files_are_no_place_for_a_back_up(live: Store, suffix: str) -> None:
    own = path_of(live)

    with pytest.raises(StorageError, match="belongs to the database itself"):
        back_up(own, own.with_name(own.name + suffix), force=True)


async def test_a_second_name_of_the_database_is_no_place_either(
    live: Store, tmp_path: Path
) -> None:
    (tmp_path / "symbolic").symlink_to(path_of(live))
    os.link(path_of(live), tmp_path / "hard")

    for name in ("symbolic", "hard"):
        with pytest.raises(StorageError, match="belongs to the database itself"):
            back_up(path_of(live), tmp_path / name, force=True)


async def test_where_nothing_can_be_written_is_named(live: Store, tmp_path: Path) -> None:
    for to, says in (
        (tmp_path / "nowhere" / "copy.db", "there is no folder .*nowhere for the back-up"),
        (tmp_path, "is a folder: name a file in it"),
    ):
        with pytest.raises(StorageError, match=says):
            back_up(path_of(live), to, force=True)


async def test_what_a_killed_one_left_behind_is_written_over(live: Store, tmp_path: Path) -> None:
    """Its journal above all: SQLite would take it for the new copy's, and roll that back."""
    to = tmp_path / "copy.db"
    for suffix in (".part", ".part-journal", ".part-wal", ".part-shm"):
        (tmp_path / f"copy.db{suffix}").write_bytes(b"rest of another" * 1000)

    back_up(path_of(live), to, force=False)

    assert events_in(to) == 3
    assert names(tmp_path, "copy") == ["copy.db"]


async def test_two_at_once_do_not_write_into_one_file(live: Store, tmp_path: Path) -> None:
    to = tmp_path / "copy.db"

    with part_of(to) as (part, _):
        part.write_bytes(b"mine")
        with pytest.raises(StorageError, match="is being written by somebody else"):
            back_up(path_of(live), to, force=False)

    assert to.read_bytes() == b"mine"


async def test_what_a_link_leads_to_is_replaced_and_not_the_link(
    live: Store, tmp_path: Path
) -> None:
    (tmp_path / "real.db").write_text("old")
    (tmp_path / "copy.db").symlink_to(tmp_path / "real.db")

    back_up(path_of(live), tmp_path / "copy.db", force=True)

    assert (tmp_path / "copy.db").is_symlink()
    assert events_in(tmp_path / "real.db") == 3


async def test_what_is_no_ordinary_file_is_never_replaced(live: Store, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    for to in (tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(StorageError, match="is no ordinary file"):
            back_up(path_of(live), to, force=True)


async def test_a_source_that_somebody_has_locked_is_named_after_a_while(
    live: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "BUSY_TIMEOUT", 0.1)
    plain = tmp_path / "plain.db"
    back_up(path_of(live), plain, force=False)

    with closing(sqlite3.connect(plain, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StorageError, match=r"plain\.db (is locked|cannot be read: database)"):
            back_up(plain, tmp_path / "copy.db", force=False)

    assert names(tmp_path, "copy") == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
async def test_a_copy_that_cannot_be_read_is_what_the_error_names(
    live: Store, tmp_path: Path
) -> None:
    back_up(path_of(live), tmp_path / "copy.db", force=False)
    (tmp_path / "own").mkdir(mode=0o777)
    for folder in (tmp_path, *tmp_path.parents[:2], tmp_path / "own"):
        folder.chmod(0o777)
    os.seteuid(65534)
    try:
        with pytest.raises(StorageError, match=r"copy\.db cannot be (read|opened): "):
            restore(tmp_path / "copy.db", tmp_path / "own" / "monitor.db")
    finally:
        os.seteuid(0)


async def test_a_restore_can_be_undone(live: Store, tmp_path: Path) -> None:
    own, copy = path_of(live), tmp_path / "copy.db"
    back_up(own, copy, force=False)
    await live.tell("b1", at=NOW + 5 * MINUTE)
    await live.database.close()
    _, kept = restore(copy, own)
    assert kept is not None

    contents, kept = restore(kept, own)

    assert contents.events == events_in(own) == 4
    assert kept is not None
    assert events_in(kept) == 3


async def test_what_a_killed_restore_left_behind_is_no_back_up(live: Store, tmp_path: Path) -> None:
    """It would be emptied before it is read."""
    own, part = path_of(live), path_of(live).with_name("monitor.db.part")
    back_up(own, tmp_path / "copy.db", force=False)
    (tmp_path / "copy.db").rename(part)

    with pytest.raises(StorageError, match="belongs to the database itself: move it away"):
        restore(part, own)

    assert events_in(part) == 3


async def test_a_folder_is_no_back_up(live: Store, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="is no ordinary file: name a back-up"):
        restore(tmp_path, path_of(live))


async def test_a_restore_waits_for_no_reader_of_the_old_file(live: Store, tmp_path: Path) -> None:
    """It keeps the log, without which the old file is not whole."""
    own, copy = path_of(live), tmp_path / "copy.db"
    back_up(own, copy, force=False)

    with closing(sqlite3.connect(own, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM batches").fetchall()
        await live.tell("b1", at=NOW + 5 * MINUTE)
        with pytest.raises(StorageError, match="is being read by somebody"):
            restore(copy, own)

    assert events_in(own) == 4


@pytest.mark.parametrize("how", ["another's", "a second name"])
@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
async def test_what_somebody_else_put_in_our_files_place_is_not_written_to(
    live: Store, tmp_path: Path, how: str
) -> None:
    precious, part = tmp_path / "precious", tmp_path / "copy.db.part"
    precious.write_text("precious")
    if how == "another's":
        precious.rename(part)
        os.chown(part, 65534, 65534)
    else:
        os.link(precious, part)

    with pytest.raises(StorageError, match="is somebody else's: remove it"):
        back_up(path_of(live), tmp_path / "copy.db", force=False)

    assert part.read_text() == "precious"


def test_no_database_is_no_back_up(tmp_path: Path) -> None:
    with pytest.raises(NoDatabaseError, match="there is nothing to back up"):
        back_up(tmp_path / "monitor.db", tmp_path / "copy.db", force=False)

    assert list(tmp_path.iterdir()) == []


async def test_a_damaged_database_makes_no_back_up(live: Store, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.db"
    back_up(path_of(live), damaged, force=False)
    with damaged.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xff" * 8 * 4096)

    with pytest.raises(StorageError, match="damaged"):
        back_up(damaged, tmp_path / "copy.db", force=False)

    assert names(tmp_path, "copy") == []


async def test_a_full_disk_leaves_nothing_behind(live: Store, tmp_path: Path) -> None:
    """What stands in for it is the limit on a file's size."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(StorageError, match=r"copy\.db cannot be written: "):
            back_up(path_of(live), tmp_path / "copy.db", force=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)

    assert names(tmp_path, "copy") == []


async def test_a_restore_puts_the_copy_in_place_and_keeps_what_stood_there(
    live: Store, tmp_path: Path
) -> None:
    own, copy = path_of(live), tmp_path / "copy.db"
    back_up(own, copy, force=False)
    await live.tell("b1", at=NOW + 5 * MINUTE)
    await live.database.close()

    contents, kept = restore(copy, own)

    assert contents.events == events_in(own) == 3
    assert kept == own.with_name(f"{own.name}.replaced")
    assert events_in(kept) == 4
    assert stat.S_IMODE(own.stat().st_mode) == 0o600
    assert not own.with_name(f"{own.name}-wal").exists()
    assert await Database(f"sqlite:///{own}").read(lambda c: c.exec_driver_sql("SELECT 1").scalar())


async def test_the_log_of_the_old_file_is_never_the_new_ones(live: Store, tmp_path: Path) -> None:
    """A killed daemon leaves it behind, and SQLite would play it into whatever file is there."""
    own, copy = path_of(live), tmp_path / "copy.db"
    back_up(own, copy, force=False)
    await live.tell("b1", at=NOW + 5 * MINUTE)
    log, killed = own.with_name(f"{own.name}-wal"), tmp_path / "killed.db"
    killed.write_bytes(own.read_bytes())
    killed.with_name("killed.db-wal").write_bytes(log.read_bytes())

    _, kept = restore(copy, killed)

    assert events_in(killed) == 3
    assert kept is not None
    assert events_in(kept) == 4


async def test_a_restore_makes_the_database_where_there_is_none(
    live: Store, tmp_path: Path
) -> None:
    back_up(path_of(live), tmp_path / "copy.db", force=False)

    contents, kept = restore(tmp_path / "copy.db", tmp_path / "new.db")

    assert (contents.events, kept) == (3, None)
    assert events_in(tmp_path / "new.db") == 3


async def test_a_restore_is_refused_while_a_daemon_holds_the_file(
    live: Store, tmp_path: Path
) -> None:
    own, copy = path_of(live), tmp_path / "copy.db"
    back_up(own, copy, force=False)

    with hold_file(own), pytest.raises(DatabaseLockedError, match="stop it first"):
        restore(copy, own)

    assert events_in(own) == 3


async def test_what_is_no_back_up_replaces_nothing(live: Store, tmp_path: Path) -> None:
    own = path_of(live)
    await live.database.close()
    text, foreign, newer = (tmp_path / name for name in ("text", "foreign.db", "newer.db"))
    text.write_text("[sources.bolna]\n" * 1000)
    with closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE events (at INTEGER)")
    back_up(own, newer, force=False)
    with closing(sqlite3.connect(newer)) as connection:
        connection.execute("UPDATE monitor_schema_version SET version_num = '9999'")
        connection.commit()

    for copy, kind, says in (
        (text, StorageError, "is no database, or damaged"),
        (foreign, StorageError, "is no database of the monitor"),
        (newer, SchemaError, "has schema 9999, newer than this program's"),
        (tmp_path / "nowhere", StorageError, "there is no file"),
        (own, StorageError, "belongs to the database itself"),
    ):
        with pytest.raises(kind, match=says):
            restore(copy, own)

    assert names(own.parent, own.name) == [own.name, f"{own.name}.lock"]
    assert events_in(own) == 3


async def test_a_back_up_of_an_older_program_is_taken(live: Store, tmp_path: Path) -> None:
    back_up(path_of(live), tmp_path / "copy.db", force=False)
    with closing(sqlite3.connect(tmp_path / "copy.db")) as connection:
        connection.execute("UPDATE monitor_schema_version SET version_num = '0003'")
        connection.commit()

    contents, _ = restore(tmp_path / "copy.db", tmp_path / "new.db")

    assert contents.schema == "0003"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
async def test_what_root_restores_belongs_to_who_ran_the_daemon(
    live: Store, tmp_path: Path
) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    os.chown(folder, 4711, 4712)
    back_up(path_of(live), tmp_path / "copy.db", force=False)

    restore(tmp_path / "copy.db", folder / "monitor.db")

    for name in ("monitor.db", "monitor.db.lock"):
        found = (folder / name).stat()
        assert (found.st_uid, found.st_gid) == (4711, 4712)
