"""A back-up of the SQLite file, made while the daemon works, and its way back."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from monitor.core.errors import NoDatabaseError, StorageError
from monitor.storage.backup.part import LOGS, part_of, remove_logs
from monitor.storage.schema.version import VERSION_TABLES, is_known, too_new
from monitor.storage.servers.file import check_folder, connect, is_there
from monitor.storage.servers.lock import hold_file
from monitor.storage.sql import from_milliseconds

_BESIDE: Final = (*LOGS, ".lock", ".part")
"""What stands beside a database and is part of it, or of its making."""
_STEP: Final = 4096
"""Pages that are copied at once: 16 MiB."""
BUSY_TIMEOUT: Final = 30.0
"""Seconds for a file that somebody else has locked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a database file holds; its size is in bytes."""

    size: int
    schema: str
    events: int
    newest: datetime | None
    """When the last event happened; none without any."""


def back_up(database: Path, to: Path, *, force: bool) -> Contents:
    """Copy the database as it is now into a file that its owner alone can read; all or nothing.

    It reads one state, however much is written meanwhile: without a transaction around its steps,
    as `sqlite3 .backup` makes them, each commit of the daemon starts it over, and it never ends.

    Raises StorageError, which says what to do; NoDatabaseError without a database.
    """
    if not is_there(database):
        check_folder(database)
        raise NoDatabaseError(f"no database at {database} yet: there is nothing to back up")
    to = to.resolve()  # what a link leads to is replaced, not the link
    _check_target(database, to, force=force)
    with part_of(to) as (part, handle):
        return _copy(database, part, handle, mode="rw")


def restore(copy: Path, database: Path) -> tuple[Contents, Path | None]:
    """Put a back-up in the database's place; return what it holds, and where the old one is kept.

    Raises DatabaseLockedError while a daemon runs, SchemaError for a back-up of a newer program,
    and StorageError for what is no back-up. Whatever happens, one whole database is there.
    """
    database = database.resolve()
    _check_copy(copy, database)
    kept = database.with_name(f"{database.name}.replaced")
    second = None
    with hold_file(database):
        with part_of(database, owner_of=database) as (part, handle):
            contents = _copy(copy, part, handle, mode="ro")
            if not is_known(contents.schema):
                raise too_new(str(copy), contents.schema)
            if is_there(database):
                second = _keep(database, kept)
        if second is not None:  # not before: the copy may be what was kept the last time
            second.replace(kept)
    return contents, kept if second is not None else None


def _check_copy(copy: Path, database: Path) -> None:
    if not is_there(copy):
        raise StorageError(f"there is no file {copy}")
    if not copy.is_file():
        raise StorageError(f"{copy} is no ordinary file: name a back-up")
    if any(_is_same(copy, file) for file in _own_files(database)):
        raise StorageError(f"{copy} belongs to the database itself: move it away first")


def _check_target(database: Path, to: Path, *, force: bool) -> None:
    try:
        folder, exists = to.parent.is_dir(), to.exists()
    except OSError as error:
        raise StorageError(f"{to} cannot be looked at: {error.strerror}") from error
    if not folder:
        raise StorageError(f"there is no folder {to.parent} for the back-up: make it")
    if to.is_dir():
        raise StorageError(f"{to} is a folder: name a file in it")
    kept = database.with_name(f"{database.name}.replaced")
    if any(_is_same(to, file) for file in (*_own_files(database), kept)):
        raise StorageError(f"{to} belongs to the database itself: name another file")
    if exists and not to.is_file():
        raise StorageError(f"{to} is no ordinary file: name another one")
    if exists and not force:
        raise StorageError(f"{to} is there already: name another file, or replace it by --force")


def _own_files(database: Path) -> tuple[Path, ...]:
    return (database, *(database.with_name(database.name + suffix) for suffix in _BESIDE))


def _is_same(one: Path, other: Path) -> bool:
    if one.resolve() == other.resolve():
        return True
    with suppress(OSError):
        return one.samefile(other)
    return False


def _copy(source: Path, part: Path, handle: int, *, mode: str) -> Contents:
    """Copy one state of a database into an empty file, check it, and return what it holds.

    Opened by `ro`, a source in WAL mode that nobody else has open keeps an empty log beside it.
    """
    with (
        closing(_open(source, mode)) as old,
        closing(connect(part, "rw", timeout=BUSY_TIMEOUT)) as new,
        _syncing(handle) as sync,
    ):
        new.execute("PRAGMA synchronous = OFF")  # we do so ourselves
        try:
            old.execute("BEGIN")
            old.execute("SELECT count(*) FROM sqlite_master").fetchone()  # which fixes the state
            old.backup(new, pages=_STEP, progress=sync)
            new.execute("PRAGMA journal_mode = DELETE")  # one file, which needs no other
            (verdict,) = new.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):  # a full disk, say
                raise
            raise StorageError(f"{source} is no database, or damaged: {error}") from error
        if verdict != "ok":
            raise StorageError(f"{source} is damaged: {verdict}")
        return _contents(source, new, size=part.stat().st_size)


def _open(source: Path, mode: str) -> sqlite3.Connection:
    """Open a database that must be there; raise StorageError for one that cannot be read."""
    try:
        connection = connect(source, mode, timeout=BUSY_TIMEOUT)
        try:
            connection.execute("PRAGMA schema_version")
        except sqlite3.Error:
            connection.close()
            raise
    except sqlite3.OperationalError as error:
        raise StorageError(f"{source} cannot be read: {error}") from error
    except sqlite3.DatabaseError as error:
        raise StorageError(f"{source} is no database, or damaged: {error}") from error
    return connection


@contextmanager
def _syncing(handle: int) -> Iterator[Callable[[int, int, int], None]]:
    """Give what brings each step to the disk beside the next ones.

    All at once, at the end, would hold up for seconds whoever commits then.
    """
    with ThreadPoolExecutor(1) as thread:
        under_way = [thread.submit(os.fdatasync, handle)]

        def sync(_status: int, _remaining: int, _total: int) -> None:
            if under_way[0].done():
                under_way[0] = thread.submit(os.fdatasync, handle)

        yield sync


def _contents(source: Path, copy: sqlite3.Connection, *, size: int) -> Contents:
    for table in VERSION_TABLES:
        with suppress(sqlite3.OperationalError):  # there is none of that name
            found = copy.execute(f"SELECT version_num FROM {table}").fetchone()
            if found is not None:
                number, newest = copy.execute("SELECT count(*), max(at) FROM events").fetchone()
                return Contents(
                    size=size, schema=found[0], events=number, newest=from_milliseconds(newest)
                )
    raise StorageError(f"{source} is no database of the monitor")


def _keep(database: Path, kept: Path) -> Path:
    """Give what stands there a second name, and take its log away: it is none of the new file's.

    First the log goes into the file where that is possible. The database's own name leads to a
    whole file at any moment: a daemon that started just then would make an empty one.
    """
    _empty_log(database)
    second = kept.with_name(f"{kept.name}.part")
    second.unlink(missing_ok=True)
    try:
        os.link(database, second)
    except OSError:  # the file system knows no second names
        shutil.copy2(database, second)
    remove_logs(kept)
    for suffix in LOGS:
        beside = database.with_name(database.name + suffix)
        if beside.exists():
            beside.rename(kept.with_name(kept.name + suffix))
    return second


def _empty_log(database: Path) -> None:
    """Write the log into the file; raise StorageError while somebody reads, who keeps it."""
    with (
        suppress(sqlite3.Error),
        closing(connect(database, "rw", timeout=BUSY_TIMEOUT)) as old,
    ):  # it may be damaged
        old.execute("PRAGMA busy_timeout = 2000")
        busy, _, _ = old.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise StorageError(f"{database} is being read by somebody, a shell perhaps: end that")
