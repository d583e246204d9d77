"""An event's id as people give it: whole, or a beginning that stands for one event."""

import re
from typing import Final

from monitor.core.errors import UnknownNameError
from monitor.storage.database import Database
from monitor.storage.events.read import ids_beginning_with

NAMED: Final = 5
"""Candidates that are named at most."""
_PREFIX: Final = "evt_"
_GIVEN: Final = re.compile(f"{_PREFIX}[a-z2-7]{{1,26}}", re.IGNORECASE)
_WHOLE: Final = len(_PREFIX) + 26
_SHORT: Final = len(_PREFIX) + 8
"""As Slack's messages show it."""


def short_id(event_id: str) -> str:
    """Return the beginning that a screen shows; it stands for the event in all commands."""
    return event_id[:_SHORT]


async def whole_id(database: Database, given: str) -> str | None:
    """Return the id that a text, in any case, is or begins; none when there is no such event.

    Raises UnknownNameError that names the candidates.
    """
    if not _GIVEN.fullmatch(given):
        return None
    wanted = _PREFIX + given[len(_PREFIX) :].upper()
    if len(wanted) == _WHOLE:
        return wanted
    found = await ids_beginning_with(database, wanted, limit=NAMED + 1)
    if len(found) > 1:
        named = ", ".join(found[:NAMED]) + (" and more" if len(found) > NAMED else "")
        raise UnknownNameError(f"{given} begins the ids of several events: {named}")
    return found[0] if found else None
