"""The journal: a file with one JSON line for each change in what a batch was shown as."""

import json
import time
from typing import Any, Final, TextIO

from monitor.simulator.record import ServedAnswer

LINES_LIMIT: Final = 100_000


class Journal:
    """Write a line when a batch's answer differs from its last one; each is flushed at once."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._last: dict[str, tuple[int | None, bytes | None, str | None]] = {}
        self._lines = 0
        self._answers = 0

    def note(self, served: ServedAnswer) -> None:
        """Write the answer, if it is a change and there is room."""
        self._answers += 1
        shown = (served.status_code, served.body, served.fault)
        if self._last.get(served.batch) == shown or self._lines >= LINES_LIMIT:
            return
        self._last[served.batch] = shown
        self._lines += 1
        self._write(
            at=served.at,
            time=time.time(),
            batch=served.batch,
            status_code=served.status_code,
            fault=served.fault,
            document=served.document,
        )

    def close(self, *, violations: list[str]) -> None:
        """Write the totals as the last line; that none comes after them shows a clean end."""
        self._write(answers=self._answers, lines=self._lines, violations=violations)

    def _write(self, **line: Any) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
