"""The bar: where the calls of a batch stand, drawn as one line of blocks."""

from collections.abc import Mapping
from typing import Final

from rich.text import Text

from monitor.core.batch import Knowledge, progress

_DONE: Final = "▇"
_BUSY: Final = "▅"
_AHEAD: Final = "▂"
_ALIKE: Final = {"no-answer", "error", "canceled", "call-disconnected"}
"""Statuses that look like another one."""
_LOOKS: Final[Mapping[str, tuple[str, str]]] = {
    "completed": (_DONE, "green"),
    "no-answer": (_DONE, "yellow"),
    "busy": (_DONE, "yellow"),
    "failed": (_DONE, "red"),
    "error": (_DONE, "red"),
    "stopped": (_DONE, "bright_black"),
    "canceled": (_DONE, "bright_black"),
    "call-disconnected": (_BUSY, "cyan"),
    "in-progress": (_BUSY, "cyan"),
    "ringing": (_BUSY, "blue"),
}
"""From left to right; any other word is still ahead."""
_AHEAD_STYLE: Final = "bright_black"
_LEGEND: Final = (
    *((name, look) for name, look in _LOOKS.items() if name not in _ALIKE),
    ("ahead", (_AHEAD, _AHEAD_STYLE)),
)


def draw_legend() -> Text:
    """Draw what the colours stand for."""
    names = [
        Text(block, style).append(f" {name}", _AHEAD_STYLE) for name, (block, style) in _LEGEND
    ]
    return Text("  ").join(names)


def draw_bar(known: Knowledge | None, width: int) -> Text:
    """Draw the calls by status; without counts there is nothing to draw."""
    if known is None or known.counts is None:
        uncounted = known is not None and known.total_contacts is None
        return Text("not counted" if uncounted else _AHEAD * width, style="bright_black")
    total = max(progress(known).total or 0, sum(known.counts.values()), 1)
    bar, calls, drawn = Text(), 0, 0
    for status, (block, style) in _LOOKS.items():
        calls += known.counts.get(status, 0)
        end = calls * width // total
        bar.append(block * (end - drawn), style)
        drawn = end
    return bar.append(_AHEAD * (width - drawn), "bright_black")


def draw_calls(known: Knowledge | None, *, whole: bool) -> Text:
    """Draw how many calls are finished of how many; whole: with each status."""
    measured = progress(known)
    if known is None or measured.finished is None or measured.total is None:
        return Text()
    text = Text(f"{measured.finished:,}/{measured.total:,}")
    if not whole:
        return text
    text.truncate(9, pad=True)
    for status, (_, style) in _LOOKS.items():
        if number := (known.counts or {}).get(status, 0):
            text.append(f" {number:,} ", style).append(status, "bright_black")
    return text
