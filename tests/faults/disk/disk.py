"""A disk under SQLite: notes every write and sync of a database, and fails from a given one on."""

import _sqlite3
import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

_library = ctypes.CDLL(getattr(_sqlite3, "__file__", None))
_find = _library.sqlite3_vfs_find
_find.restype = ctypes.c_void_p


@dataclass(frozen=True, slots=True)
class Write:
    """Hold one write to a file, named by its suffix."""

    file: str
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Cut:
    """Hold that a file was made shorter, or longer."""

    file: str
    size: int


@dataclass(frozen=True, slots=True)
class Sync:
    """Hold that a file was synced: what was written to it before stays, whatever happens."""

    file: str


class Trouble(Enum):
    """Say what fails, and as which of SQLite's errors (https://sqlite.org/rescode.html).

    It is what SQLite makes of `ENOSPC`, of `EROFS` or `EIO`, and of a sync that fails.
    """

    FULL = 13
    READ_ONLY = 778
    UNSYNCED = 1034


class Disk:
    """Stand between SQLite and the files of databases in this process, while `under` is open."""

    def __init__(self, database: Path, *, recording: bool = False) -> None:
        self.database = database
        self.log: list[Write | Cut | Sync] = []
        self.writes = 0
        self.refused = 0
        self._recording = recording
        self._trouble: tuple[Trouble, int] | None = None
        self._sizes: dict[str, int] = {}

    def fail(self, trouble: Trouble, *, after: int) -> None:
        """Fail from the write on that comes after so many more."""
        self._trouble = (trouble, self.writes + after)

    def mend(self) -> None:
        """Fail no more."""
        self._trouble = None

    def opened(self, file: str, size: int) -> None:
        """Note that SQLite opened a file."""
        self._sizes[file] = max(size, self._sizes.get(file, 0))

    def write(self, file: str, offset: int, data: bytes) -> int:
        """Return SQLite's code for a write; 0 lets it happen."""
        self.writes += 1
        grows = offset + len(data) > self._sizes[file]
        if self._fails(Trouble.READ_ONLY) or (grows and self._fails(Trouble.FULL)):
            return self._refuse()
        self._sizes[file] = max(self._sizes[file], offset + len(data))
        if self._recording:
            self.log.append(Write(file, offset, data))
        return 0

    def truncate(self, file: str, size: int) -> int:
        """Return SQLite's code for a change of a file's size."""
        if self._fails(Trouble.READ_ONLY):
            return self._refuse()
        self._sizes[file] = size
        if self._recording:
            self.log.append(Cut(file, size))
        return 0

    def sync(self, file: str) -> int:
        """Return SQLite's code for a sync."""
        if self._fails(Trouble.UNSYNCED) or self._fails(Trouble.READ_ONLY):
            return self._refuse()
        return 0

    def synced(self, file: str) -> None:
        """Note that a sync has been done."""
        if self._recording:
            self.log.append(Sync(file))

    def _fails(self, trouble: Trouble) -> bool:
        now = self._trouble
        return now is not None and now[0] is trouble and self.writes > now[1]

    def _refuse(self) -> int:
        assert self._trouble is not None
        self.refused += 1
        return self._trouble[0].value


@contextmanager
def under(*disks: Disk) -> Iterator[None]:
    """Let what SQLite opens from now on of these databases go through their disks."""
    vfs = _Vfs.from_address(_find(None))
    real = vfs.xOpen
    by_path = {str(disk.database): disk for disk in disks}
    opening = _OPEN(_Opening(_OPEN(real), by_path))
    vfs.xOpen = ctypes.cast(opening, ctypes.c_void_p).value
    _for_ever.append(opening)
    try:
        yield
    finally:
        vfs.xOpen = real


_VOID = ctypes.c_void_p
_OPEN = ctypes.CFUNCTYPE(ctypes.c_int, _VOID, _VOID, _VOID, ctypes.c_int, _VOID)
_WRITE = ctypes.CFUNCTYPE(ctypes.c_int, _VOID, _VOID, ctypes.c_int, ctypes.c_int64)
_TRUNCATE = ctypes.CFUNCTYPE(ctypes.c_int, _VOID, ctypes.c_int64)
_SYNC = ctypes.CFUNCTYPE(ctypes.c_int, _VOID, ctypes.c_int)
_SIZE = ctypes.CFUNCTYPE(ctypes.c_int, _VOID, ctypes.POINTER(ctypes.c_int64))


class _Vfs(ctypes.Structure):
    """The head of https://sqlite.org/c3ref/vfs.html."""

    _fields_ = (
        ("iVersion", ctypes.c_int),
        ("szOsFile", ctypes.c_int),
        ("mxPathname", ctypes.c_int),
        ("pNext", _VOID),
        ("zName", ctypes.c_char_p),
        ("pAppData", _VOID),
        ("xOpen", _VOID),
    )


class _Methods(ctypes.Structure):
    """https://sqlite.org/c3ref/io_methods.html."""

    _fields_ = (
        ("iVersion", ctypes.c_int),
        *(
            (name, _VOID)
            for name in (
                *("xClose", "xRead", "xWrite", "xTruncate", "xSync", "xFileSize", "xLock"),
                *("xUnlock", "xCheckReservedLock", "xFileControl", "xSectorSize"),
                *("xDeviceCharacteristics", "xShmMap", "xShmLock", "xShmBarrier", "xShmUnmap"),
                *("xFetch", "xUnfetch"),
            )
        ),
    )


class _Opening:
    """Open a file as SQLite does; give the files of our databases methods that ask the disk."""

    def __init__(self, real: Callable[..., int], disks: dict[str, Disk]) -> None:
        self._real = real
        self._disks = disks

    def __call__(self, vfs: int, name: int | None, file: int, flags: int, out: int) -> int:
        code = self._real(vfs, name, file, flags, out)  # it keeps the pointer, not a copy
        path = "" if name is None else ctypes.string_at(name).decode()
        for suffix in ("", "-wal", "-journal"):
            disk = self._disks.get(path.removesuffix(suffix)) if path.endswith(suffix) else None
            if code == 0 and disk is not None:
                _put_between(file, suffix, disk)
                break
        return code


def _put_between(file: int, suffix: str, disk: Disk) -> None:
    pointer = ctypes.cast(file, ctypes.POINTER(_VOID))
    real = _Methods.from_address(pointer[0])
    size = ctypes.c_int64()
    _SIZE(real.xFileSize)(file, ctypes.byref(size))
    disk.opened(suffix, size.value)

    go_write, go_truncate, go_sync = (
        _WRITE(real.xWrite),
        _TRUNCATE(real.xTruncate),
        _SYNC(real.xSync),
    )

    def write(file: int, data: int, length: int, offset: int) -> int:
        code = disk.write(suffix, offset, ctypes.string_at(data, length))
        return code or int(go_write(file, data, length, offset))

    def truncate(file: int, size: int) -> int:
        return disk.truncate(suffix, size) or int(go_truncate(file, size))

    def sync(file: int, flags: int) -> int:
        code = disk.sync(suffix) or int(go_sync(file, flags))
        if code == 0:
            disk.synced(suffix)
        return code

    ours = _Methods.from_buffer_copy(real)
    calls = _WRITE(write), _TRUNCATE(truncate), _SYNC(sync)
    for field, call in zip(("xWrite", "xTruncate", "xSync"), calls, strict=True):
        setattr(ours, field, ctypes.cast(call, _VOID).value)
    pointer[0] = ctypes.addressof(ours)
    _for_ever.extend((ours, *calls))


_for_ever: list[Any] = []
"""What SQLite may call as long as a file is open; nobody tells us until when that is."""
