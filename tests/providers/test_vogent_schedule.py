from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.schedule import Schedule, Slot
from monitor.providers.vogent_schedule import read_schedule

NEW_YORK = "America/New_York"
THURSDAY = datetime(2026, 1, 29, 12, tzinfo=UTC)


def shown(*days: Any, **fields: Any) -> dict[str, Any]:
    return {"days": list(days), "timezone": NEW_YORK} | fields


def day(number: Any, *slots: tuple[Any, Any]) -> dict[str, Any]:
    times = [{"startTime": start, "endTime": end} for start, end in slots]
    return {"dayOfWeek": number, "timeSlots": times}


@pytest.mark.parametrize(
    ("start", "end", "minutes"),
    [
        ("09:00", "17:30", (540, 1050)),
        ("9:00", "17:30", (540, 1050)),
        ("09:00:00", "17:30:00", (540, 1050)),
        ("00:00", "24:00", (0, 1440)),
        ("22:00", "02:00", (1320, 1560)),
        ("22:00", "00:00", (1320, 1440)),
        ("08:00", "08:00", (480, 1920)),
    ],
)
def test_a_slot_is_read_in_minutes(start: str, end: str, minutes: tuple[int, int]) -> None:
    hours = read_schedule(shown(day(1, (start, end))))

    assert hours == Schedule(zone=NEW_YORK, slots=(Slot(day=1, start=minutes[0], end=minutes[1]),))


@pytest.mark.parametrize(
    ("start", "end", "minutes"),
    [
        ("24:00", "02:00", (0, 120)),
        ("24:00", "00:00", (0, 1440)),
        ("24:00", "24:00", (0, 1440)),
    ],
)
def test_a_slot_from_midnight_at_the_end_of_a_day_is_the_next_days(
    start: str, end: str, minutes: tuple[int, int]
) -> None:
    hours = read_schedule(shown(day(6, (start, end))))

    assert hours == Schedule(zone=NEW_YORK, slots=(Slot(day=0, start=minutes[0], end=minutes[1]),))


def test_a_day_may_have_several_slots_or_none() -> None:
    hours = read_schedule(
        shown(day(0, ("09:00", "12:00"), ("13:00", "17:00")), day("6", ("10:00", "11:00")), day(3))
    )

    assert hours is not None
    assert [(slot.day, slot.start // 60) for slot in hours.slots] == [(0, 9), (0, 13), (6, 10)]


def test_no_slot_is_never_open() -> None:
    times = [f"{hour:02}:00" for hour in (0, 12, 24)]
    for start in times:
        for end in times:
            hours = read_schedule(shown(day(3, (start, end))))
            assert hours is not None
            opens_at = hours.opens_at(THURSDAY)
            assert opens_at is not None
            assert hours.opened_at(opens_at) == opens_at


NINE_TO_FIVE = day(1, ("09:00", "17:00"))
ZONES: list[Any] = [
    *(None, "", 5, "<string>", "Mars/Olympus", "america", "America", "zone.tab"),
    *("../UTC", "/etc/passwd", "UTC\0", "\ud800", "x" * 5000),
]
DAYS: list[Any] = [
    *(None, "monday", [], {"timeSlots": []}),
    *(day(number, ("09:00", "17:00")) for number in (None, 7, 9, 123, -1, 1.5, True, "x")),
    {"dayOfWeek": 2, "timeSlots": {}},
    {"dayOfWeek": 2, "timeSlots": ["09:00-17:00"]},
    {"dayOfWeek": 2, "timeSlots": [{}]},
]
TIMES: list[Any] = [
    *(None, "", "<string>", 9, "9", "25:00", "24:01", "09:60", "09:00:30"),
    "\u0660\u0669:\u0660\u0660",
]


@pytest.mark.parametrize(
    "found",
    [
        *(None, [], "always", {}, {"timezone": NEW_YORK}),
        *(shown(), shown(days=None), shown(days={"1": []}), shown(day(1), day(2))),
        *(shown(NINE_TO_FIVE, timezone=zone) for zone in ZONES),
        *(shown(NINE_TO_FIVE, odd) for odd in DAYS),
        *(shown(NINE_TO_FIVE, day(2, (time, "17:00"))) for time in TIMES),
        shown(day(1, *[("09:00", "17:00")] * 201)),
        shown(*[NINE_TO_FIVE] * 10_000),
    ],
    ids=lambda found: repr(found)[:60],
)
def test_what_is_not_understood_whole_is_no_schedule(found: object) -> None:
    assert read_schedule(found) is None


def test_as_many_slots_as_we_keep_are_kept() -> None:
    hours = read_schedule(shown(day(1, *[("09:00", "17:00")] * 200)))

    assert hours is not None
    assert len(hours.slots) == 200


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["days", "timezone", "dayOfWeek", "timeSlots", "startTime"]), inner
        )
    ),
    max_leaves=8,
)


@settings(max_examples=100)
@given(anything)
def test_nonsense_raises_nothing(found: object) -> None:
    assert read_schedule(found) is None
    assert read_schedule(shown(found)) is None
    assert read_schedule(shown(NINE_TO_FIVE, {"dayOfWeek": 2, "timeSlots": found})) in (
        None,
        read_schedule(shown(NINE_TO_FIVE)),
    )
