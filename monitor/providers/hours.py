"""Calling hours in the config: what Vogent's schedule field says, read strictly."""

from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import AfterValidator, ConfigDict, PlainValidator
from pydantic.alias_generators import to_camel

from monitor.core.schedule import Schedule, Slot
from monitor.providers.vogent_schedule import SLOTS_LIMIT, is_zone, make_slot, read_clock
from monitor.setting_types import Settings

SLOT_EXAMPLE: Final = '{ startTime = "09:00", endTime = "18:00" }'
DAY_EXAMPLE: Final = f"{{ dayOfWeek = [1, 2, 3, 4, 5], timeSlots = [{SLOT_EXAMPLE}] }}"


def _parse_clock(value: object) -> int:
    minutes = read_clock(value)
    if minutes is None:
        raise ValueError('must be a time of day from "00:00" to "24:00", such as "09:30"')
    return minutes


def _parse_days(value: object) -> tuple[int, ...]:
    days = value if isinstance(value, list | tuple) else [value]
    if not days or not all(type(day) is int and 0 <= day <= 6 for day in days):
        raise ValueError("must be a day from 0 (Sunday) to 6 (Saturday), or an array of such days")
    return tuple(days)


def _check_zone(name: str) -> str:
    if not is_zone(name):
        raise ValueError('must be a time zone such as "America/New_York" or "UTC"')
    return name


class SlotSettings(Settings):
    """Parse one of `timeSlots`."""

    model_config = ConfigDict(alias_generator=to_camel)

    start_time: Annotated[int, PlainValidator(_parse_clock)]
    """When calls begin, in minutes after midnight."""
    end_time: Annotated[int, PlainValidator(_parse_clock)]
    """When they end; not after the start is in the night after."""


def _check_slots(slots: tuple[SlotSettings, ...]) -> tuple[SlotSettings, ...]:
    if not slots:
        raise ValueError(f"must hold one at least, such as {SLOT_EXAMPLE}")
    return slots


class DaySettings(Settings):
    """Parse one of `days`."""

    model_config = ConfigDict(alias_generator=to_camel)

    day_of_week: Annotated[tuple[int, ...], PlainValidator(_parse_days)]
    """The days on which its slots begin, 0 is Sunday."""
    time_slots: Annotated[tuple[SlotSettings, ...], AfterValidator(_check_slots)]
    """From when to when calls are made."""


def _slots_of(days: Sequence[DaySettings]) -> list[Slot]:
    return [
        make_slot(day, slot.start_time, slot.end_time)
        for entry in days
        for day in entry.day_of_week
        for slot in entry.time_slots
    ]


def _check_days(days: tuple[DaySettings, ...]) -> tuple[DaySettings, ...]:
    if not days:
        raise ValueError(f"must hold one at least, such as {DAY_EXAMPLE}")
    if (number := len(_slots_of(days))) > SLOTS_LIMIT:
        raise ValueError(f"may hold {SLOTS_LIMIT} slots at most, those of each day, not {number}")
    return days


class HoursSettings(Settings):
    """Parse the table `hours`."""

    days: Annotated[tuple[DaySettings, ...], AfterValidator(_check_days)]
    """On which days and at which times calls are made. Each entry is like
    `{ dayOfWeek = 1, timeSlots = [{ startTime = "09:00", endTime = "18:00" }] }`. `dayOfWeek` is a
    number from 0 (Sunday) to 6, or an array of them. Times go from `"00:00"` to `"24:00"`; an
    `endTime` that is not after its `startTime` is on the next day. At most 200 slots a week."""
    timezone: Annotated[str, AfterValidator(_check_zone)]
    """The time zone of these times, from the IANA database, such as `"America/New_York"`."""

    @property
    def schedule(self) -> Schedule:
        """Return them as core knows them."""
        return Schedule(zone=self.timezone, slots=tuple(_slots_of(self.days)))
