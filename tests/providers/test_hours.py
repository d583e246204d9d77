from typing import Any

import pytest
from pydantic import ValidationError

from monitor.core.schedule import Schedule, Slot
from monitor.providers.hours import HoursSettings
from monitor.providers.vogent_schedule import SLOTS_LIMIT, read_schedule

ZONE = "America/New_York"


def slot(start: Any = "09:00", end: Any = "18:00") -> dict[str, Any]:
    return {"startTime": start, "endTime": end}


def hours(*days: Any, timezone: Any = ZONE) -> HoursSettings:
    return HoursSettings.model_validate({"days": list(days), "timezone": timezone})


def day(number: Any = 1, *slots: Any) -> dict[str, Any]:
    return {"dayOfWeek": number, "timeSlots": list(slots) or [slot()]}


def mistake(*days: Any, **fields: Any) -> tuple[str, str]:
    """Return where it is and what is said of it."""
    with pytest.raises(ValidationError) as refusal:
        hours(*days, **fields)
    (found,) = refusal.value.errors()
    return ".".join(map(str, found["loc"])), found["msg"]


def test_a_working_week_is_one_entry() -> None:
    week = hours(day([1, 2, 3, 4, 5]), day(6, slot("10:00", "14:00")))

    slots = tuple(Slot(day=number, start=540, end=1080) for number in range(1, 6))
    saturday = Slot(day=6, start=600, end=840)
    assert week.schedule == Schedule(zone=ZONE, slots=(*slots, saturday))


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("9:00", "17:30"),
        ("09:00:00", "17:30:00"),
        ("00:00", "24:00"),
        ("22:00", "02:00"),
        ("22:00", "00:00"),
        ("24:00", "02:00"),
        ("24:00", "00:00"),
        ("08:00", "08:00"),
    ],
)
def test_hours_are_what_the_same_words_are_in_a_job_of_vogent(start: str, end: str) -> None:
    shown = {"days": [day(0, slot(start, end), slot("05:00", "06:00"))], "timezone": ZONE}

    assert hours(*shown["days"]).schedule == read_schedule(shown)


@pytest.mark.parametrize("number", [-1, 7, "1", 1.0, True, None, [], [1, 7], [[1]], ["1"], {}])
def test_a_day_is_a_number_from_0_to_6(number: Any) -> None:
    assert mistake(day(number)) == (
        "days.0.dayOfWeek",
        "Value error, must be a day from 0 (Sunday) to 6 (Saturday), or an array of such days",
    )


@pytest.mark.parametrize("time", ["24:01", "9", "09:60", "9h", "", " 9:00", "09:00:30", 9, None])
@pytest.mark.parametrize("key", ["startTime", "endTime"])
def test_a_time_is_one_of_a_day(key: str, time: Any) -> None:
    assert mistake(day(1, slot() | {key: time})) == (
        f"days.0.timeSlots.0.{key}",
        'Value error, must be a time of day from "00:00" to "24:00", such as "09:30"',
    )


@pytest.mark.parametrize("zone", ["", "New York", "America/Nowhere", "America", "../etc/passwd"])
def test_a_zone_is_one_of_the_iana_database(zone: str) -> None:
    assert mistake(day(), timezone=zone) == (
        "timezone",
        'Value error, must be a time zone such as "America/New_York" or "UTC"',
    )


def test_hours_have_a_day_and_a_day_a_slot() -> None:
    where, said = mistake()
    assert (where, said.startswith("Value error, must hold one at least, such as {")) == (
        "days",
        True,
    )
    where, said = mistake({"dayOfWeek": 1, "timeSlots": []})
    assert (where, said.startswith("Value error, must hold one at least, such as {")) == (
        "days.0.timeSlots",
        True,
    )


def test_slots_are_counted_for_each_day_that_they_hold_for() -> None:
    most = [slot()] * (SLOTS_LIMIT // 5)

    assert len(hours(day([1, 2, 3, 4, 5], *most)).schedule.slots) == SLOTS_LIMIT
    assert mistake(day([1, 2, 3, 4, 5], *most), day(6)) == (
        "days",
        "Value error, may hold 200 slots at most, those of each day, not 201",
    )
