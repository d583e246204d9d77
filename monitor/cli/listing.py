"""A listing: the newest of what was found for a table, or all of it as one JSON array."""

from collections.abc import AsyncIterator, Callable
from typing import Final, TypeVar

from rich.text import Text

from monitor.cli.screen import json_array, safe

TABLE_LIMIT: Final = 100
"""Rows of a table when nobody says."""

Item = TypeVar("Item")


async def take(
    found: AsyncIterator[Item], limit: int | None, *, usual: int = TABLE_LIMIT
) -> tuple[list[Item], Text]:
    """Return the first items, as many as are shown, and a line that says if there are more."""
    wanted = limit or usual
    items: list[Item] = []
    async for item in found:
        if len(items) == wanted:
            return items, safe(f"the newest {wanted}; --limit N shows more, -o json all", "dim")
        items.append(item)
    return items, Text()


async def write_array(
    found: AsyncIterator[Item], lay_out: Callable[[Item], str | bytes], limit: int | None
) -> None:
    """Write a JSON array of everything that was found, or of so many."""
    number = 0
    with json_array() as write:
        async for item in found:
            write(lay_out(item))
            number += 1
            if number == limit:
                break
