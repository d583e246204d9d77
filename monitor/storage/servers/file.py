"""The SQLite file: the folder it needs, its making, and the way in."""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from monitor.core.errors import StorageError

FileIdentity: TypeAlias = tuple[int, int]
"""Its device and its number there: what a name leads to, whatever the name."""


def connect(file: Path, mode: str, *, timeout: float = 5.0) -> sqlite3.Connection:
    """Connect to a file that is there, to read and write it by `rw` or to read it by `ro`."""
    address = f"{file.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(
        address, uri=True, timeout=timeout, isolation_level=None, check_same_thread=False
    )


def check_folder(file: Path) -> None:
    """Raise StorageError when the folder of a SQLite file is not there: nobody else makes it."""
    if not is_there(file.parent):
        raise StorageError(
            f"there is no folder {file.parent} for the database: make it, or name another in"
            " database.url"
        )


def is_there(path: Path) -> bool:
    """Return whether a file or folder exists; raise StorageError when nobody can say."""
    return identify(path) is not None


def identify(path: Path) -> FileIdentity | None:
    """Return which file a path leads to now, or none; raise StorageError when nobody can say."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StorageError(f"{path} cannot be opened: {error.strerror}") from error
    return found.st_dev, found.st_ino


def create_private(file: Path) -> None:
    """Create the file readable by its owner alone; SQLite gives WAL and index the same mode.

    A link that leads nowhere yet leads to the new file.

    One that exists is not even opened: closing any handle of it drops the locks that this process
    holds on it, and another's last close would then delete the WAL under our feet.
    """
    file = Path(os.path.realpath(file))
    check_folder(file)
    try:
        handle = os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        give_as(handle, file.with_name(f"{file.name}.lock"))
        os.close(handle)
    except FileExistsError:
        return
    except OSError as error:
        raise StorageError(f"the database {file} cannot be opened: {error.strerror}") from error


def give_as(handle: int, like: Path) -> None:
    """Give an open file the owner of another one, or of its folder.

    Only root can: what it made the daemon could not open, which runs as somebody else.
    """
    if os.geteuid() != 0:
        return
    with suppress(OSError):  # not on every file system
        owner = like.stat() if like.exists() else like.parent.stat()
        os.fchown(handle, owner.st_uid, owner.st_gid)
