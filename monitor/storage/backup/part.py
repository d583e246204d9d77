"""A file in the making: written beside its target, whose place it takes whole or not at all."""

import fcntl
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from monitor.core.errors import StorageError
from monitor.storage.servers.file import give_as

LOGS: Final = ("-wal", "-shm", "-journal")
"""How the names of SQLite's logs of a file end."""


@contextmanager
def part_of(target: Path, *, owner_of: Path | None = None) -> Iterator[tuple[Path, int]]:
    """Give a file to write beside the target, also open, whose place it takes once all went well.

    What a killed one left behind is written over, but its journal is none of ours. `owner_of` is
    a file whose owner is to have this one, too.
    """
    part = target.with_name(f"{target.name}.part")
    handle = _open_part(part, owner_of)
    try:
        _take_alone(handle, part)
        if owner_of is not None:
            give_as(handle, owner_of)
        yield from _replacing(target, part, handle)
    finally:
        os.close(handle)


def _open_part(part: Path, owner_of: Path | None) -> int:
    """Open it, new or left behind by us: in a folder of all, others could put one there."""
    try:
        handle = os.open(part, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise StorageError(f"{part} cannot be written: {error.strerror}") from error
    found, owners = os.fstat(handle), {os.geteuid()}
    if owner_of is not None and owner_of.exists():
        owners.add(owner_of.stat().st_uid)
    if found.st_uid in owners and found.st_nlink == 1 and stat.S_ISREG(found.st_mode):
        return handle
    os.close(handle)
    raise StorageError(f"{part} is somebody else's: remove it, or name another file")


def _take_alone(handle: int, part: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        alone = os.path.samestat(os.fstat(handle), part.stat())  # else it took its place just now
    except OSError:
        alone = False
    if not alone:
        raise StorageError(f"{part} is being written by somebody else: wait for it")


def _replacing(target: Path, part: Path, handle: int) -> Iterator[tuple[Path, int]]:
    try:
        remove_logs(part)
        os.fchmod(handle, 0o600)
        os.ftruncate(handle, 0)
        yield part, handle
        os.fsync(handle)
        part.replace(target)
        _sync_folder(target.parent)
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise StorageError(f"{target} cannot be written: {reason}") from error
    finally:
        part.unlink(missing_ok=True)
        remove_logs(part)


def remove_logs(file: Path) -> None:
    for suffix in LOGS:
        file.with_name(file.name + suffix).unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make a rename last: it is in the folder."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
