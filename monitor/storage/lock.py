"""The lock on a SQLite file: one daemon at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monitor.core.errors import DatabaseLockedError, StorageError


@contextmanager
def hold_file(database: Path | None) -> Iterator[None]:
    """Hold the lock beside a SQLite file; on Postgres (none) several daemons may run.

    The lock is on a file of its own: closing any handle of the database itself would drop
    SQLite's locks. Raises DatabaseLockedError when somebody else holds it.
    """
    if database is None:
        yield
        return
    path = database.with_name(database.name + ".lock")
    try:
        handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StorageError(f"the lock {path} cannot be opened: {error.strerror}") from error
    try:
        _take(handle, database)
        yield
    finally:
        os.close(handle)


def _take(handle: int, database: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise DatabaseLockedError(
            f"another `monitor run` holds {database}: stop it first, or give this one its own"
            " database"
        ) from error
