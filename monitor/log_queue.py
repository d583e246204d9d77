"""The log's way out: a bounded queue and a thread that writes, so that a stuck output stops nobody.

A terminal that is paused, or a collector that reads no more, keeps whoever writes to it waiting.
"""

import os
import select
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

MOST: Final = 1024 * 1024
"""Bytes that wait to be written: some thousand lines."""
_PORTION: Final = 64 * 1024
"""Bytes that are written at once: what a pipe holds."""


class LogQueue:
    """Take lines for an open file, and write them when it takes them.

    Once it is full all lines are dropped until half of it is written: what is missing is one piece,
    and `tell_dropped` is called in its place, with how many lines it was. So is what cannot be
    written at all, as on a full disk.
    """

    def __init__(self, descriptor: int, tell_dropped: Callable[[int], None]) -> None:
        self._descriptor = descriptor
        self._tell_dropped = tell_dropped
        self._lines: deque[bytes] = deque()
        self._held = 0
        """Bytes of the lines that wait, and of those that are being written."""
        self._full = False
        self._untold = 0
        self.dropped = 0
        """Lines since the start."""
        self._torn = False
        """The last line that could be written was cut off."""
        self._changed = threading.Condition()
        threading.Thread(target=self._write_for_ever, name="log", daemon=True).start()

    def write(self, text: str) -> None:
        """Take a line, with its end; it never waits."""
        line, told = text.encode(errors="backslashreplace"), 0
        with self._changed:
            if self._full or self._held + len(line) > MOST:
                self._drop(1)
                self._full = self._held > 0  # else the line itself is too long, and nothing waits
                told = self._take_untold()
            else:
                self._lines.append(line)
                self._held += len(line)
                self._changed.notify_all()
        if told:
            self._tell_dropped(told)

    def flush(self) -> None:
        """Do nothing: the thread is at it."""

    def drain(self, seconds: float) -> None:
        """Wait until all is written, or so long."""
        with self._changed:
            self._changed.wait_for(lambda: not self._held, seconds)

    def _write_for_ever(self) -> None:
        while True:
            portion = self._next_portion()
            self._note(portion, lost=self._write(b"".join(portion)))

    def _next_portion(self) -> list[bytes]:
        portion, size = [], 0
        with self._changed:
            self._changed.wait_for(lambda: self._lines)
            while self._lines and size < _PORTION:
                portion.append(self._lines.popleft())
                size += len(portion[-1])
        return portion

    def _write(self, data: bytes) -> int:
        """Write, however long that takes; return how many lines could not be written."""
        left = memoryview(b"\n" + data if self._torn else data)
        while left:
            try:
                left = left[os.write(self._descriptor, left) :]
            except BlockingIOError:  # who shares a terminal with us may have made it so
                poll = select.poll()
                poll.register(self._descriptor, select.POLLOUT)
                poll.poll()
            except OSError:
                rest = bytes(left)
                self._torn = len(rest) < len(data) and not data[: -len(rest)].endswith(b"\n")
                return rest.count(b"\n")
        self._torn = False
        return 0

    def _note(self, portion: list[bytes], *, lost: int) -> None:
        with self._changed:
            self._held -= sum(map(len, portion))
            self._drop(lost)
            self._full = self._full and self._held > MOST // 2
            told = 0 if lost else self._take_untold()
            self._changed.notify_all()
        if told:
            self._tell_dropped(told)

    def _take_untold(self) -> int:
        """Return how many dropped lines are to be reported now: none amid those missing."""
        told = 0 if self._full else self._untold
        self._untold -= told
        return told

    def _drop(self, lines: int) -> None:
        self.dropped += lines
        self._untold += lines
