"""A schedule: the weekly hours in which a provider dials a batch's calls."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

_DAY: Final = 24 * 60 * 60
_WEEK: Final = 7 * _DAY
_THURSDAY: Final = 4 * _DAY
"""Where 1970-01-01 lies in its week, which begins on Sunday; all is counted in seconds."""
_EVER: Final = datetime.min.replace(tzinfo=UTC)

_Window = tuple[int, int]
"""From and until, in seconds: of the week, or since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One window of a week: from `start` to `end`, minutes after the day's midnight.

    An `end` of more than 1,440 lies on the day after; `day` 0 is Sunday.
    """

    day: int
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The slots of a week and the IANA zone whose wall clock they mean.

    It is open while that clock shows a time within a slot: when the clock is put back it may open
    twice, and what the clock leaves out never comes. Slots that meet are one window.
    """

    zone: str
    slots: tuple[Slot, ...]

    def opened_at(self, at: datetime) -> datetime | None:
        """Return since when it dials without a break, or none while it does not.

        A week without a closed minute has been open for ever.
        """
        windows = _windows(self, _week(at))
        if windows is None:
            return _EVER
        window = _open_one(windows, at)
        return None if window is None else _moment(window[0])

    def closes_at(self, at: datetime) -> datetime | None:
        """Return when the window that is open ends; None: it is closed, or never ends."""
        window = _open_one(_windows(self, _week(at)) or (), at)
        return None if window is None else _moment(window[1])

    def opens_at(self, at: datetime) -> datetime | None:
        """Return when a window opens next after `at`; None: never."""
        windows = _windows(self, _week(at)) or ()
        place = _place(windows, at)
        return _moment(windows[place][0]) if place < len(windows) else None


def _week(at: datetime) -> int:
    return int(at.timestamp() // _WEEK)


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _place(windows: tuple[_Window, ...], at: datetime) -> int:
    """Return the place of the first window that opens after `at`."""
    return bisect_right(windows, at.timestamp(), key=_opening)


def _opening(window: _Window) -> int:
    return window[0]


def _open_one(windows: tuple[_Window, ...], at: datetime) -> _Window | None:
    place = _place(windows, at)
    if not place or windows[place - 1][1] <= at.timestamp():
        return None
    return windows[place - 1]


@lru_cache(maxsize=128)
def _windows(schedule: Schedule, week: int) -> tuple[_Window, ...] | None:
    """Return the windows around one of the weeks since 1970; None: it never closes.

    No window is longer than a week, and the next one is at most two away: a slot that the clock
    leaves out comes again a week later.
    """
    hours = _joined(sorted(_hours(schedule.slots)))
    if hours == ((0, _WEEK),):
        return None
    since, until = (week - 2) * _WEEK, (week + 4) * _WEEK
    return _joined(_spread(hours, ZoneInfo(schedule.zone), since, until))


def _hours(slots: Iterable[Slot]) -> Iterator[_Window]:
    """Lay the slots into one week; what goes beyond its end goes on at its beginning."""
    for slot in slots:
        opens = (slot.day * _DAY + slot.start * 60) % _WEEK
        closes = opens + (slot.end - slot.start) * 60
        yield opens, min(closes, _WEEK)
        if closes > _WEEK:
            yield 0, closes - _WEEK


def _spread(hours: Iterable[_Window], zone: ZoneInfo, since: int, until: int) -> Iterator[_Window]:
    """Repeat a week's hours from `since` until `until`, as the zone's clock goes."""
    for begin, end, offset in _stretches(zone, since, until):
        shift = _THURSDAY + offset
        first, last = (begin + shift) // _WEEK, (end + shift) // _WEEK
        for sunday in range(first * _WEEK - shift, last * _WEEK - shift + 1, _WEEK):
            for opens, closes in hours:
                if sunday + opens < end and sunday + closes > begin:
                    yield max(sunday + opens, begin), min(sunday + closes, end)


def _stretches(zone: ZoneInfo, since: int, until: int) -> Iterator[tuple[int, int, int]]:
    """Cut a time where the zone's clock is put: begin, end, and the offset from UTC between."""
    begin, offset = since, _offset(zone, since)
    for day in range(since, until, _DAY):
        if _offset(zone, day + _DAY) != offset:
            put_at = _put_at(zone, day, offset)
            yield begin, put_at, offset
            begin, offset = put_at, _offset(zone, put_at)
    yield begin, until, offset


def _put_at(zone: ZoneInfo, day: int, before: int) -> int:
    """Return the second of a day at which the zone's clock is put."""
    seconds = range(day, day + _DAY)
    return day + bisect_left(seconds, True, key=lambda second: _offset(zone, second) != before)


def _offset(zone: ZoneInfo, seconds: int) -> int:
    offset = datetime.fromtimestamp(seconds, zone).utcoffset()
    return 0 if offset is None else round(offset.total_seconds())


def _joined(windows: Iterable[_Window]) -> tuple[_Window, ...]:
    """Make one of windows that meet; they come in the order of their openings."""
    joined: list[_Window] = []
    for opens, closes in windows:
        if joined and opens <= joined[-1][1]:
            opens, before = joined.pop()
            closes = max(closes, before)
        joined.append((opens, closes))
    return tuple(joined)
