"""A listing: the newest of what was found, and a line that says if there are more."""

from collections.abc import AsyncIterator
from typing import Final, TypeVar

from monitor.facts.sentence import Sentence, Tone

TABLE_LIMIT: Final = 100
"""Rows of a table when nobody says."""

Item = TypeVar("Item")


async def take(
    found: AsyncIterator[Item], limit: int | None, *, usual: int = TABLE_LIMIT
) -> tuple[list[Item], list[Sentence]]:
    """Return the first items, as many as are shown, and what to do if there are more."""
    wanted = usual if limit is None else limit
    items: list[Item] = []
    async for item in found:
        if len(items) == wanted:
            more = f"the newest {wanted}; --limit N shows more, -o json all"
            return items, [Sentence(more, Tone.ASIDE)]
        items.append(item)
    return items, []
