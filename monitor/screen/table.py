"""A table: one line a row where it fits, its columns stacked into fewer where it does not."""

from collections.abc import Sequence
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

Row = Sequence[Cell]
"""A cell for each column."""
Cells = dict[str, Text]
"""A row's cells by column."""


def show_table(
    columns: Sequence[str],
    rows: Sequence[Row],
    *,
    stacks: Sequence[Sequence[str]],
    cut: str = "",
    heading: str = "",
) -> None:
    """Print a table; `stacks` says which columns stand under each other on a narrow screen.

    Without rows there is no table, nor its heading; columns without any content are left out. On a
    terminal the column `cut` is shortened if only so a row is one line.
    """
    if not rows:
        return
    if heading:
        show_heading(heading)
    console = make_console()
    cells = [dict(zip(columns, map(text_of, row), strict=True)) for row in rows]
    filled = [name for name in columns if any(row[name] for row in cells)]
    if console.is_terminal and cut:
        _shorten(console, filled, cells, cut)
    console.print(_lay_out(console, filled, cells, stacks=stacks))


def _lay_out(
    console: Console,
    filled: Sequence[str],
    cells: Sequence[Cells],
    *,
    stacks: Sequence[Sequence[str]],
) -> RenderableType:
    """Return the widest layout that fits."""
    flat = [[name] for name in filled]
    if sum(_natural(_widths(console, flat, cells))) + _GAP * len(flat) <= console.width:
        return _table(flat, cells, widths=[], leading=0)
    kept = [[name for name in stack if name in filled] for stack in stacks]
    stacked = [stack for stack in kept if stack]
    room = console.width - _GAP * len(stacked)
    widths = _fit(_widths(console, stacked, cells), room)
    if not widths:
        widths = _fit(_widths(console, stacked, cells, breaking=True), room)
    return _table(stacked, cells, widths=widths, leading=1)


def _shorten(console: Console, filled: Sequence[str], cells: Sequence[Cells], cut: str) -> None:
    """Cut one column to what the others leave, unless that is too little."""
    kept = [[name] for name in filled if name != cut]
    room = console.width - sum(_natural(_widths(console, kept, cells))) - _GAP * (len(kept) + 1)
    if room >= SHORTEST_CUT:
        for row in cells:
            row[cut].truncate(room, overflow="ellipsis")


def _widths(
    console: Console,
    stacks: Sequence[Sequence[str]],
    rows: Sequence[Cells],
    *,
    breaking: bool = False,
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


def _natural(widths: Sequence[Measurement]) -> list[int]:
    return [one.maximum for one in widths]


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


def _table(
    stacks: Sequence[Sequence[str]],
    rows: Sequence[Cells],
    *,
    widths: Sequence[int],
    leading: int,
) -> Table:
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
