"""The timeline of a batch: its finished and open calls over time, drawn with block characters."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final

from rich.text import Text

from monitor.core.batch import Phase
from monitor.facts.times import write_short_time
from monitor.screen.console import safe
from monitor.storage.batches.read import SnapshotView

HEIGHT: Final = 6
LEGEND: Final = "█ finished  ░ open calls"
_EIGHTHS: Final = " ▁▂▃▄▅▆▇█"
_OPEN: Final = "░"
_UNCOUNTED: Final = "·"


def draw_timeline(snapshots: Sequence[SnapshotView], *, until: datetime, width: int) -> list[Text]:
    """Draw snapshots, the oldest first; nothing where nothing was counted or changed.

    A snapshot holds until the next one; the last holds until `until`.
    """
    statuses = {snapshot.status for snapshot in snapshots}
    counted = any(snapshot.counts is not None for snapshot in snapshots)
    if not counted and len(statuses) < 2:
        return []
    top = max(_top(snapshot) for snapshot in snapshots)
    label = f"{top:,}" if counted else ""
    timeline = _Timeline(snapshots, until=until, columns=width - len(label) - 1)
    rows = list(timeline.bars(top)) if counted else []
    margins = [label, *[""] * (len(rows) - 1), "0" if counted else ""]
    lines = [*rows, *timeline.axis()]
    margins += [""] * (len(lines) - len(margins))
    return [
        Text.assemble(Text(margin.rjust(len(label)) + " ", style="dim"), line)
        for margin, line in zip(margins, lines, strict=False)
    ]


def _top(snapshot: SnapshotView) -> int:
    calls = sum((snapshot.counts or {}).values())
    return max(calls, snapshot.valid_contacts or snapshot.total_contacts or 0, 1)


class _Timeline:
    """Spread snapshots over columns of time."""

    def __init__(self, snapshots: Sequence[SnapshotView], *, until: datetime, columns: int) -> None:
        self._snapshots = snapshots
        self._until = max(until, snapshots[-1].at)
        self._start = self._begin()
        self._columns = columns if self._until > self._start else 1

    def _begin(self) -> datetime:
        """Return where it starts: a long wait before the first call shall not squash the rest."""
        first = self._snapshots[0].at
        moved_at = next((one.at for one in self._snapshots if _has_moved(one)), None)
        return first if moved_at is None else max(first, moved_at - (self._until - moved_at) / 10)

    def bars(self, top: int) -> Iterator[Text]:
        """Yield the rows, the highest first."""
        levels = [_levels(snapshot, top) for snapshot in self._sampled()]
        for row in reversed(range(HEIGHT)):
            yield Text.assemble(*(_cell(level, row) for level in levels))

    def _sampled(self) -> Iterator[SnapshotView]:
        """Yield what stood at the end of each column."""
        times = [snapshot.at for snapshot in self._snapshots]
        step = (self._until - self._start) / self._columns
        for column in range(1, self._columns + 1):
            at = self._until if column == self._columns else self._start + step * column
            yield self._snapshots[max(0, bisect_right(times, at) - 1)]

    def axis(self) -> Iterator[Text]:
        """Yield the axis with a mark where the status changed, the statuses, and the times."""
        changes = list(self._changes())
        marks = {column for column, _ in changes}
        line = ("┬" if column in marks else "─" for column in range(self._columns))
        yield Text("".join(line), style="dim")
        yield safe(_spread(changes, self._columns))
        start, end = write_short_time(self._start), write_short_time(self._until)
        gap = self._columns - len(start) - len(end)
        yield safe(f"{start}{' ' * gap}{end}" if gap > 0 else start, "dim")

    def _changes(self) -> Iterator[tuple[int, str]]:
        """Yield each new status with its column."""
        yield 0, [one for one in self._snapshots if one.at <= self._start][-1].status
        for before, snapshot in pairwise(self._snapshots):
            if snapshot.status != before.status and snapshot.at > self._start:
                share = (snapshot.at - self._start) / (self._until - self._start)
                yield min(int(share * self._columns), self._columns - 1), snapshot.status


def _has_moved(snapshot: SnapshotView) -> bool:
    """Return whether calls were made: Bolna's older `queued` is pending while they are."""
    return snapshot.phase is not Phase.PENDING or bool(_finished_calls(snapshot))


def _levels(snapshot: SnapshotView, top: int) -> tuple[int, int] | None:
    """Return how high finished calls and all calls stand, in eighths of rows."""
    finished = _finished_calls(snapshot)
    if finished is None:
        return None
    return _level(finished, top), _level(finished + snapshot.open_calls, top)


def _finished_calls(snapshot: SnapshotView) -> int | None:
    """Return how many calls had finished; none when nobody counted."""
    return None if snapshot.counts is None else sum(snapshot.counts.values()) - snapshot.open_calls


def _level(calls: int, top: int) -> int:
    return max(round(HEIGHT * 8 * calls / top), 1 if calls > 0 else 0)


def _cell(level: tuple[int, int] | None, row: int) -> tuple[str, str]:
    if level is None:
        return (_UNCOUNTED if row == 0 else " "), "dim"
    finished, all_ = (min(max(part - 8 * row, 0), 8) for part in level)
    if finished or not all_:
        return _EIGHTHS[finished], "green"
    return _OPEN, "cyan"


def _spread(labels: Sequence[tuple[int, str]], columns: int) -> str:
    """Write the labels below their columns; where they collide, those that lasted longest stay."""
    ends = [column for column, _ in labels[1:]] + [columns]
    lasted = {label: end - label[0] for label, end in zip(labels, ends, strict=True)}
    line = [" "] * columns
    for column, label in [labels[-1], *sorted(lasted, key=lambda one: -lasted[one])]:
        start = max(0, min(column, columns - len(label)))
        room = line[max(0, start - 1) : start + len(label) + 1]
        if not "".join(room).strip():
            line[start : start + len(label)] = label
    return "".join(line).rstrip()
