"""A batch's id as people give and read it: whole, or a beginning that stands for one batch."""

from collections.abc import Collection
from typing import Final

from monitor.core.errors import UnknownNameError
from monitor.storage.batches.read import ids_beginning, read_batch, shared_beginnings
from monitor.storage.database import Database

SHORTEST: Final = 4
"""Characters that stand for a longer id, as with git."""
NAMED: Final = 5
"""Candidates that are named at most."""
_LENGTHS: Final = (8, 12, 16, 24)
"""To which ids are shortened on a screen: to the first at which no other one begins so."""
LONGEST_SHOWN: Final = _LENGTHS[-1]
"""Characters of the longest beginning that a screen shows for an id."""


async def whole_id(database: Database, source: str, given: str) -> str:
    """Return the id of the only batch of a source whose id a text begins; else the text itself.

    A batch of that very id goes first. A number stands for no longer one: 12 and 123 are two
    batches. Raises UnknownNameError that names the candidates.
    """
    if len(given) < SHORTEST or await read_batch(database, source, given):
        return given
    found = await ids_beginning(database, source, given, limit=NAMED + 1)
    if all(id_.isdecimal() for id_ in found):
        return given
    if len(found) > 1:
        named = ", ".join(found[:NAMED]) + (" and more" if len(found) > NAMED else "")
        raise UnknownNameError(f"{given} begins the ids of several batches of {source}: {named}")
    return found[0]


async def short_ids(database: Database, source: str, ids: Collection[str]) -> dict[str, str]:
    """Return by id how it is shown: shortened as far as it stands for this batch alone."""
    short = {id_: id_ for id_ in ids}
    left = set(ids)
    for length in _LENGTHS:
        left = {id_ for id_ in left if len(id_) > length + SHORTEST and not id_.isdecimal()}
        if not left:
            break
        shared = await shared_beginnings(database, source, left, length=length)
        short |= {id_: id_[:length] for id_ in left if id_[:length] not in shared}
        left = {id_ for id_ in left if id_[:length] in shared}
    return short
