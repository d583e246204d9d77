"""A job's schedule field: the hours in which it dials, or nothing that we understand."""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Any, Final, TypeGuard
from zoneinfo import ZoneInfo

from monitor.core.errors import PollError
from monitor.core.schedule import Schedule, Slot
from monitor.providers.document import invalid, read_count

SLOTS_LIMIT: Final = 200
_DAY: Final = 24 * 60
_CLOCK: Final = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::00)?")
_ZONE: Final = re.compile(r"[A-Za-z0-9_+/-]{1,64}")


def read_schedule(found: object) -> Schedule | None:
    """Return the hours of `{"days": [{"dayOfWeek", "timeSlots"}], "timezone"}`.

    None is "at any time": for null, for no slot at all, and for what we do not understand, be it
    one slot of many, because hours that are half guessed silence what should be heard. It never
    fails a poll.
    """
    if not isinstance(found, dict) or not is_zone(found.get("timezone")):
        return None
    try:
        slots = tuple(islice(_slots(found.get("days")), SLOTS_LIMIT + 1))
    except PollError:
        return None
    return Schedule(zone=found["timezone"], slots=slots) if 0 < len(slots) <= SLOTS_LIMIT else None


def is_zone(name: object) -> TypeGuard[str]:
    """Return whether a value names a time zone of the IANA database."""
    return isinstance(name, str) and _ZONE.fullmatch(name) is not None and _is_known(name)


@lru_cache(maxsize=256)
def _is_known(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # not found; no zone; a folder
        return False
    return True


def _slots(days: object) -> Iterator[Slot]:
    """Read the slots; raise PollError at the first that is none."""
    for day in _objects(days):
        number = read_count(day.get("dayOfWeek"))
        if number is None or number > 6:
            raise invalid()
        for slot in _objects(day.get("timeSlots")):
            start, end = read_clock(slot.get("startTime")), read_clock(slot.get("endTime"))
            if start is None or end is None:
                raise invalid()
            yield make_slot(number, start, end)


def make_slot(day: int, start: int, end: int) -> Slot:
    """Make a slot of minutes after midnight; it ends when the clock shows its end for the first
    time after its start. 24:00 is 0:00 of the next day.
    """
    if start == _DAY:
        day, start = (day + 1) % 7, 0
    return Slot(day=day, start=start, end=end if end > start else end + _DAY)


def _objects(found: object) -> list[dict[str, Any]]:
    """Return the objects of an array, none for null; raise PollError for anything else."""
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise invalid()
    return found


def read_clock(value: object) -> int | None:
    """Return the minutes after midnight of `9:00`, `09:00:00` or `24:00`; None for no such time."""
    clock = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if clock is None:
        return None
    minutes = 60 * int(clock[1]) + int(clock[2])
    return None if int(clock[2]) > 59 or minutes > _DAY else minutes
