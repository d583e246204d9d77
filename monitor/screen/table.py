"""A table: one line a row, of which a narrow screen cuts or folds the columns that may be."""

from collections.abc import Collection, Mapping, Sequence

from rich import box
from rich.console import OverflowMethod
from rich.table import Table

from monitor.screen.console import Cell, make_console, text_of
from monitor.screen.page import show_heading

BOUNDLESS = 100_000
"""Columns where nothing is to be broken."""

KEPT_WHOLE = 36
"""Characters up to which an id is not broken over two lines: those of a UUID."""

Row = Mapping[str, Cell]
"""A cell for each column, in their order."""


def show_table(
    rows: Sequence[Row],
    *,
    cut: Collection[str] = (),
    fold: Collection[str] = (),
    without: Collection[str] = (),
    heading: str = "",
    wide: bool = False,
) -> None:
    """Print a table; where it does not fit, `cut` names columns that are cut, `fold` those broken.

    All rows have the same columns, in the same order. Without rows there is no table, nor its
    heading; columns without any content are left out. A wide table, or one into a pipe, is whole.
    """
    if not rows:
        return
    if heading:
        show_heading(heading)
    console = make_console()
    if wide:
        console.width = BOUNDLESS
    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        header_style="bold",
    )
    cells = [{name: text_of(cell) for name, cell in row.items()} for row in rows]
    for name in [
        name for name in cells[0] if any(row[name] for row in cells) and name not in without
    ]:
        # rich takes from the columns that may be broken; the cells of those cut are not, though
        breaks = name in {*cut, *fold}
        overflow: OverflowMethod = "fold" if name in fold else "ellipsis"
        table.add_column(name, no_wrap=not breaks, overflow=overflow)
        for row in cells if name in cut else ():
            row[name].no_wrap = True
    for row in cells:
        table.add_row(*(row[str(column.header)] for column in table.columns))
    console.print(table)
