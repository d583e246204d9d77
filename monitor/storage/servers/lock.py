"""The lock on a SQLite file: one daemon at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from monitor.core.errors import DatabaseLockedError, StorageError
from monitor.storage.servers.file import check_folder, give_as

_PID_LIMIT: Final = 20


@contextmanager
def hold_file(database: Path | None, *, shared: bool = False) -> Iterator[None]:
    """Hold the lock beside a SQLite file; on Postgres (none) several daemons may run.

    Several may hold it `shared`, but none beside a daemon: migrations wait for each other anyway.

    The lock is on a file of its own: closing any handle of the database itself would drop
    SQLite's locks. Raises DatabaseLockedError when somebody else holds it.
    """
    if database is None:
        yield
        return
    database = database.resolve()  # the same file by another name is the same file
    check_folder(database)
    path = database.with_name(database.name + ".lock")
    try:
        handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise StorageError(f"the lock {path} cannot be opened: {error.strerror}") from error
    try:
        give_as(handle, database)
        _take(handle, database, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        _sign(handle, "" if shared else str(os.getpid()))
        yield
    finally:
        os.close(handle)


def _take(handle: int, database: Path, kind: int) -> None:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(handle, _PID_LIMIT, 0).decode(errors="replace")
        pid = f" (pid {holder})" if holder.isdecimal() else ""
        raise DatabaseLockedError(
            f"another `monitor run`{pid} holds {database}: stop it first, or give this one its own"
            " database"
        ) from error


def _sign(handle: int, holder: str) -> None:
    """Write who holds the lock; it is read only while somebody does, so a dead one's is no lie."""
    with suppress(OSError):  # a full disk: then nobody is named
        os.ftruncate(handle, 0)
        os.pwrite(handle, holder.encode(), 0)
