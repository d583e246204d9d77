"""The hours of a batch: on which days its calls are made, from when to when."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Final

from monitor.core.batch import Knowledge, Phase
from monitor.core.schedule import Slot
from monitor.facts.times import write_short_time

_DAYS: Final = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
_AS_READ: Final = (1, 2, 3, 4, 5, 6, 0)


def write_hours(known: Knowledge | None, *, now: datetime) -> str:
    """Write `Mon-Fri 09:00-18:00, Sat 10:00-14:00, Europe/Berlin`, and until when it is closed.

    They are those that the provider shows, else those of the config; empty for any time.
    """
    if known is None or known.schedule is None:
        return ""
    hours = known.schedule
    written = ", ".join((*_days(hours.slots), hours.zone))
    if known.phase is Phase.ENDED or hours.opened_at(now) is not None:
        return written
    return f"{written}; closed until {write_short_time(hours.opens_at(now))}"


def _days(slots: Sequence[Slot]) -> Iterator[str]:
    """Yield the days, those in a row with the same slots as one."""
    for times, group in groupby(_AS_READ, key=lambda day: _times(day, slots)):
        days = [_DAYS[day] for day in group]
        if times:
            yield f"{'-'.join(dict.fromkeys((days[0], days[-1])))} {times}"


def _times(day: int, slots: Sequence[Slot]) -> str:
    of_day = sorted((slot.start, slot.end) for slot in slots if slot.day == day)
    return " and ".join(f"{_clock(start)}-{_clock(end)}" for start, end in of_day)


def _clock(minutes: int) -> str:
    """Write minutes after midnight; those of the night after as its clock shows them."""
    hour, minute = divmod(minutes if minutes <= 24 * 60 else minutes - 24 * 60, 60)
    return f"{hour:02}:{minute:02}"
