"""Recovery: what SQLite makes of the files that a power loss leaves."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing
from hashlib import blake2b
from pathlib import Path

from tests.faults.disk.power import Loss
from tests.faults.disk.wholeness import halves


class Recovery:
    """Recover databases, and hold each against the states after every commit.

    What a state is like, is looked at once: whoever recovers it byte by byte has just that.
    """

    def __init__(self, folder: Path, states: Iterable[bytes]) -> None:
        self._file = folder / "recovered.db"
        self._after: defaultdict[bytes, list[int]] = defaultdict(list)
        """After which commits a state stood; some change nothing."""
        for self.commits, image in enumerate(states):
            self._after[_digest(image)].append(self.commits)
        self._events: dict[bytes, set[str]] = {}
        """Of each state that was met."""

    def __str__(self) -> str:
        """Say how many states there were."""
        return f"{self.commits} commits, {len(self._events)} states met"

    def wrong(self, loss: Loss, told: Iterable[str], *, pruned: bool) -> Iterator[str]:
        """Yield what is wrong after a loss; `told` are the events that receivers had before it."""
        loss.save(self._file)
        try:
            with closing(sqlite3.connect(f"file:{self._file}?mode=ro", uri=True)) as connection:
                state = _digest(connection.serialize())
                if state not in self._events:
                    yield from halves(connection, pruned=pruned)
                    found = connection.execute("SELECT id FROM events")
                    self._events[state] = {row[0] for row in found}
        except sqlite3.Error as error:
            yield f"it cannot be read: {error}"
            return
        if state not in self._after:
            yield "it is as after no commit"
        elif not any(loss.durable <= number <= loss.written + 1 for number in self._after[state]):
            yield "it is as at another time"
        if not pruned and not self._events[state].issuperset(told):
            yield "what a receiver was told is not known"


def _digest(image: bytes) -> bytes:
    return blake2b(image, digest_size=16).digest()
