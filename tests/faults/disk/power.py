"""Power loss: what the files of a database may hold when the power goes, by the disk's log."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import accumulate
from pathlib import Path
from random import Random
from struct import Struct
from typing import Final

from tests.faults.disk.disk import Cut, Sync, Write

WAL: Final = "-wal"
SECTOR: Final = 512
_FRAME_HEADER: Final = 24
"""Bytes; the second four say how large the database is after a commit, 0 within one
(https://sqlite.org/fileformat2.html#the_write_ahead_log)."""
_HEAD: Final = Struct(">II")
"""Page, and size after a commit."""


class Manner(StrEnum):
    """Say what became of writes that were not synced yet."""

    IN_ORDER = "in order"
    """They are there up to the byte."""
    NONE = "none"
    """None of them is."""
    TORN = "torn"
    """Any sectors of them are, in any order; where others were to be the file has its old bytes."""
    ZEROED = "zeroed"
    """The files are as long as they were to be, but there are zeros from the byte on."""
    GARBAGE = "garbage"
    """From the byte on the log holds anything, beyond its end too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Hold one loss: its place in the log, and what the files hold after it."""

    at: int
    manner: Manner
    durable: int
    """Commits that were synced before."""
    written: int
    """Commits whose every byte had been written, synced or not."""
    files: Mapping[str, bytes]

    def save(self, file: Path) -> None:
        """Write the files; the index of the log does not outlive its machine."""
        for suffix, held in self.files.items():
            file.with_name(file.name + suffix).write_bytes(held)
        file.with_name(file.name + "-shm").unlink(missing_ok=True)


@dataclass(slots=True)
class Files:
    """Follow the log: what is synced of each file, and what is not."""

    synced: dict[str, bytearray]
    unsynced: dict[str, list[Write | Cut]] = field(default_factory=dict)
    durable: int = 0
    written: int = 0
    _ends_commit: bool = False

    def follow(self, entry: Write | Cut | Sync) -> None:
        """Let one entry happen."""
        if isinstance(entry, Sync):
            for change in self.unsynced.pop(entry.file, ()):
                apply(change, self.synced.setdefault(entry.file, bytearray()))
            if entry.file == WAL:
                self.durable = self.written
            return
        self.unsynced.setdefault(entry.file, []).append(entry)
        if entry.file == WAL and isinstance(entry, Write):
            if len(entry.data) == _FRAME_HEADER:
                self._ends_commit = entry.data[4:8] != bytes(4)
            elif self._ends_commit:
                self.written += 1
                self._ends_commit = False

    def lose(self, torn: Write, byte: int, manner: Manner, dice: Random) -> dict[str, bytes]:
        """Return what the files hold when the power goes within a write."""
        files = {name: bytearray(held) for name, held in self.synced.items()}
        if manner is Manner.NONE:
            return {name: bytes(held) for name, held in files.items()}
        for name, changes in self.unsynced.items():
            for change in changes:
                kept = _pieces(change, dice) if manner is Manner.TORN else (change,)
                for piece in kept:
                    apply(piece, files.setdefault(name, bytearray()))
        begun = Write(torn.file, torn.offset, torn.data[:byte])
        apply(begun, files.setdefault(torn.file, bytearray()))
        end, rest = torn.offset + byte, len(torn.data) - byte
        if manner is Manner.ZEROED:
            apply(Write(torn.file, end, bytes(rest)), files[torn.file])
        elif manner is Manner.GARBAGE and torn.file == WAL:
            apply(Write(torn.file, end, dice.randbytes(rest + dice.randrange(9000))), files[WAL])
        return {name: bytes(held) for name, held in files.items()}


def losses(
    log: Sequence[Write | Cut | Sync], base: bytes, *, number: int, dice: Random
) -> Iterator[Loss]:
    """Lose the power at so many random bytes of all that was written, the earliest first."""
    ends = list(accumulate(len(e.data) if isinstance(e, Write) else 0 for e in log))
    places = sorted(dice.randrange(ends[-1]) for _ in range(number))
    files, followed = Files({"": bytearray(base), WAL: bytearray()}), 0
    for place in places:
        at = bisect_right(ends, place)
        for entry in log[followed:at]:
            files.follow(entry)
        followed = at
        torn = log[at]
        assert isinstance(torn, Write)
        byte = place - (ends[at] - len(torn.data))
        manner = dice.choice(list(Manner))
        yield Loss(
            at=at,
            manner=manner,
            durable=files.durable,
            written=files.written,
            files=files.lose(torn, byte, manner, dice),
        )


def states(log: Sequence[Write | Cut | Sync], base: bytes) -> Iterator[bytes]:
    """Yield the whole database before the first commit and after each, by the pages written."""
    image, pages = bytearray(base), dict[int, bytes]()
    page = size = 0
    yield bytes(image)
    for entry in log:
        if not isinstance(entry, Write) or entry.file != WAL:
            continue
        if len(entry.data) == _FRAME_HEADER:
            page, size = _HEAD.unpack(entry.data[:8])
        elif page:
            pages[page], page = entry.data, 0
            if size:
                for number, held in pages.items():
                    apply(Write("", (number - 1) * len(held), held), image)
                pages.clear()
                del image[size * len(entry.data) :]
                yield bytes(image)


def apply(change: Write | Cut, held: bytearray) -> None:
    """Change a file's bytes."""
    if isinstance(change, Cut):
        del held[change.size :]
        held.extend(bytes(change.size - len(held)))
        return
    held.extend(bytes(max(0, change.offset - len(held))))
    held[change.offset : change.offset + len(change.data)] = change.data


def _pieces(change: Write | Cut, dice: Random) -> Iterator[Write | Cut]:
    """Yield the sectors of a change that reached the disk."""
    if isinstance(change, Cut):
        if dice.random() < 0.5:
            yield change
        return
    first = 0
    while first < len(change.data):
        last = first + SECTOR - (change.offset + first) % SECTOR
        if dice.random() < 0.5:
            yield Write(change.file, change.offset + first, change.data[first:last])
        first = last
