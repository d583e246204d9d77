"""What the machine says of this process: memory, open files, and every connect."""

import errno
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_LOOPBACK: Final = {"127.0.0.1", "::1"}
_noted: list[set[str]] = []


class Memory:
    """Tell how far the resident memory rose since, at its highest, in MiB."""

    def __init__(self) -> None:
        if _CLEAR.exists():
            _CLEAR.write_text("5")  # sets the high-water mark back to what is resident now
        self._before = _peak()

    @property
    def growth(self) -> float:
        """Return the growth of the peak; where it cannot be set back, that of the whole life's."""
        return _peak() - self._before


def _peak() -> float:
    """Return the high-water mark of the resident memory, in MiB."""
    if _CLEAR.exists():
        lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) / 1024
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def open_files() -> int:
    """Count this process's open files and sockets."""
    return len(os.listdir("/dev/fd"))  # noqa: PTH208 (the files themselves are of no interest)


@contextmanager
def contacts() -> Iterator[set[str]]:
    """Note the address of every connect of this process, whoever makes it.

    None leaves the machine meanwhile, whatever is asked to.
    """
    _listen()
    noted: set[str] = set()
    _noted.append(noted)
    yield noted
    _noted.remove(noted)


@cache
def _listen() -> None:
    """Listen to the interpreter's own word of each connect, once and for ever."""

    def note(event: str, arguments: tuple[object, ...]) -> None:
        if event == "socket.connect" and _noted and isinstance(arguments[1], tuple):
            for noted in _noted:
                noted.add(str(arguments[1][0]))
            if arguments[1][0] not in _LOOPBACK:
                raise OSError(errno.ENETUNREACH, "this is a test")

    sys.addaudithook(note)
