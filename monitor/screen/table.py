"""A table: one line a row where it fits, its columns stacked into fewer where it does not."""

from collections.abc import Mapping, Sequence
from typing import Final

from rich import box
from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from monitor.screen.console import Cell, make_console, text_of
from monitor.screen.page import show_heading

BOUNDLESS: Final = 100_000
KEPT_WHOLE: Final = 36
"""Columns up to which a word, such as an id, is not broken: those of a UUID."""
SHORTEST_CUT: Final = 20
"""Columns that are left at least where a text is cut."""
_GAP: Final = 2

Row = Mapping[str, Cell]
"""A cell for each column, in their order."""
Texts = dict[str, Text]
"""The same, with their colours."""
Stacks = Sequence[Sequence[str]]
"""The columns, those together that stand under each other."""


def show_table(rows: Sequence[Row], *, stacks: Stacks, cut: str = "", heading: str = "") -> None:
    """Print a table; `stacks` says which columns stand under each other on a narrow screen.

    All rows have the same columns, in the same order. Without rows there is no table, nor its
    heading; columns without any content are left out. On a terminal the column `cut` is shortened
    if only so a row is one line.
    """
    if not rows:
        return
    if heading:
        show_heading(heading)
    console = make_console()
    texts = [{name: text_of(cell) for name, cell in row.items()} for row in rows]
    filled = [name for name in texts[0] if any(row[name] for row in texts)]
    if console.is_terminal and cut:
        _shorten(console, filled, texts, cut)
    console.print(_lay_out(console, filled, texts, stacks))


def _lay_out(
    console: Console, filled: Sequence[str], rows: Sequence[Texts], stacks: Stacks
) -> RenderableType:
    """Return the widest layout that fits."""
    if _whole_width(console, filled, rows) <= console.width:
        return _table([[name] for name in filled], rows, widths=[], leading=0)
    kept = [[name for name in stack if name in filled] for stack in stacks]
    stacked = [stack for stack in kept if stack]
    room = console.width - _GAP * len(stacked)
    widths = _fit(_widths(console, stacked, rows), room)
    if not widths:
        widths = _fit(_widths(console, stacked, rows, breaking=True), room)
    return _table(stacked, rows, widths=widths, leading=1)


def _shorten(console: Console, filled: Sequence[str], rows: Sequence[Texts], cut: str) -> None:
    """Cut one column to what the others leave, unless that is too little."""
    kept = [name for name in filled if name != cut]
    room = console.width - _whole_width(console, kept, rows) - _GAP
    if room >= SHORTEST_CUT:
        for row in rows:
            row[cut].truncate(room, overflow="ellipsis")


def _whole_width(console: Console, columns: Sequence[str], rows: Sequence[Texts]) -> int:
    """Measure the table on which no line is broken."""
    widths = _widths(console, [[name] for name in columns], rows)
    return sum(one.maximum + _GAP for one in widths)


def _widths(
    console: Console, stacks: Stacks, rows: Sequence[Texts], *, breaking: bool = False
) -> list[Measurement]:
    """Measure each stack: its longest word, and its longest line; a time is a word if it can be."""
    boundless = console.options.update_width(BOUNDLESS)
    found = []
    for stack in stacks:
        texts = [Text(name) for name in stack]
        texts += [row[name] for row in rows for name in stack]
        measured = [Measurement.get(console, boundless, text) for text in texts]
        longest_word = max(
            size.maximum if text.no_wrap and not breaking else size.minimum
            for text, size in zip(texts, measured, strict=True)
        )
        longest_line = max(one.maximum for one in measured)
        found.append(Measurement(min(longest_word, KEPT_WHOLE), longest_line))
    return found


def _fit(widths: Sequence[Measurement], room: int) -> list[int]:
    """Give each column its longest word, then whole lines to those that lack the least."""
    given = [one.minimum for one in widths]
    left = room - sum(given)
    if left < 0:
        return []
    for at in sorted(range(len(widths)), key=lambda at: widths[at].span):
        more = min(left, widths[at].span)
        given[at] += more
        left -= more
    return given


def _table(stacks: Stacks, rows: Sequence[Texts], *, widths: Sequence[int], leading: int) -> Table:
    """Draw it; without `widths` the columns find their own."""
    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, _GAP - 1, 0, 0),
        leading=leading,
        header_style="bold",
    )
    height = max((len(stack) for stack in stacks), default=0)
    for at, stack in enumerate(stacks):
        header = [*stack, *[""] * (height - len(stack))]  # rich aligns headers at their bottom
        width = widths[at] if widths else None
        table.add_column("\n".join(header), overflow="fold", width=width)
    for row in rows:
        table.add_row(
            *(Text("\n").join(row[name] for name in stack if row[name]) for stack in stacks)
        )
    return table
