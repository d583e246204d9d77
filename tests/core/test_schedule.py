from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.core.schedule import Schedule, Slot

MINUTE = timedelta(minutes=1)
EVER = datetime.min.replace(tzinfo=UTC)
BERLIN = "Europe/Berlin"
ALL_WEEK = tuple(Slot(day=day, start=0, end=1440) for day in range(7))


def schedule(*slots: tuple[int, int, int], zone: str = "UTC") -> Schedule:
    made = (Slot(day=day, start=start, end=end) for day, start, end in slots)
    return Schedule(zone=zone, slots=tuple(made))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def windows(hours: Schedule, since: datetime, until: datetime) -> list[tuple[str, str]]:
    """List what opens after a moment and before another, each until it closes."""
    found = []
    opens_at = hours.opens_at(since)
    while opens_at is not None and opens_at < until:
        closes_at = hours.closes_at(opens_at)
        assert closes_at is not None
        found.append((opens_at.strftime("%a %H:%M"), closes_at.strftime("%a %H:%M")))
        opens_at = hours.opens_at(opens_at)
    return found


def test_day_0_is_sunday() -> None:
    hours = schedule((0, 9 * 60, 17 * 60))

    assert hours.opens_at(utc("2026-01-29T12:00")) == utc("2026-02-01T09:00")
    assert utc("2026-02-01T09:00").strftime("%A") == "Sunday"


def test_a_window_is_open_from_its_first_moment_until_before_its_last() -> None:
    hours = schedule((4, 9 * 60, 17 * 60))
    opens, closes = utc("2026-01-29T09:00"), utc("2026-01-29T17:00")
    second = timedelta(seconds=1)

    assert hours.opened_at(opens - second) is None
    assert (hours.opened_at(opens), hours.closes_at(opens)) == (opens, closes)
    assert hours.opened_at(closes - second) == opens
    assert (hours.opened_at(closes), hours.closes_at(closes)) == (None, None)
    assert hours.opens_at(opens - second) == opens
    assert hours.opens_at(opens) == opens + timedelta(days=7)


def test_slots_that_overlap_or_meet_are_one_window() -> None:
    hours = schedule((4, 600, 720), (4, 540, 660), (4, 720, 1440), (5, 0, 60), (5, 120, 180))

    assert windows(hours, utc("2026-01-29T00:00"), utc("2026-02-03T00:00")) == [
        ("Thu 09:00", "Fri 01:00"),
        ("Fri 02:00", "Fri 03:00"),
    ]


def test_a_slot_over_midnight_goes_on_in_the_night_after() -> None:
    saturday = schedule((6, 22 * 60, 26 * 60))

    assert saturday.opened_at(utc("2026-02-01T01:59")) == utc("2026-01-31T22:00")
    assert saturday.closes_at(utc("2026-02-01T01:59")) == utc("2026-02-01T02:00")


def test_a_window_means_the_zone_s_wall_clock() -> None:
    hours = schedule((1, 9 * 60, 17 * 60), zone="America/New_York")

    assert windows(hours, utc("2026-03-01T00:00"), utc("2026-03-15T00:00")) == [
        ("Mon 14:00", "Mon 22:00"),
        ("Mon 13:00", "Mon 21:00"),  # summer time began on March 8
    ]


def test_what_the_clock_leaves_out_in_spring_does_not_open() -> None:
    night = schedule((0, 135, 165), (0, 170, 190), zone=BERLIN)

    assert windows(night, utc("2026-03-28T00:00"), utc("2026-04-06T00:00")) == [
        ("Sun 01:00", "Sun 01:10"),  # from 03:00 on the clock, which never was 02:50
        ("Sun 00:15", "Sun 00:45"),
        ("Sun 00:50", "Sun 01:10"),
    ]


def test_what_the_clock_shows_twice_in_autumn_opens_twice() -> None:
    night = schedule((0, 135, 165), zone=BERLIN)

    assert windows(night, utc("2026-10-24T00:00"), utc("2026-10-26T00:00")) == [
        ("Sun 00:15", "Sun 00:45"),
        ("Sun 01:15", "Sun 01:45"),
    ]


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 3), ("2026-10-25", 5)])
def test_a_window_over_the_change_of_the_clock_is_one(day: str, hours: int) -> None:
    night = schedule((0, 60, 5 * 60), zone=BERLIN)

    opens = night.opens_at(utc(f"{day}T00:00") - timedelta(hours=5))

    assert opens is not None
    assert night.closes_at(opens) == opens + timedelta(hours=hours)


@pytest.mark.parametrize("slots", [ALL_WEEK, (Slot(day=3, start=60, end=60 + 7 * 1440),)])
@pytest.mark.parametrize("zone", ["UTC", BERLIN])
def test_a_week_without_a_closed_minute_never_closes(slots: tuple[Slot, ...], zone: str) -> None:
    always, at = Schedule(zone=zone, slots=slots), utc("2026-03-29T01:30")

    assert (always.opened_at(at), always.closes_at(at), always.opens_at(at)) == (EVER, None, None)


def test_without_slots_it_never_opens() -> None:
    never, at = schedule(), utc("2026-01-29T12:00")

    assert (never.opened_at(at), never.closes_at(at), never.opens_at(at)) == (None, None, None)


ZONES = [
    "UTC",
    BERLIN,
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",  # half an hour
    "Pacific/Apia",
]
DAYS = [
    utc("2026-01-29T12:00"),
    utc("2026-03-08T07:00"),  # New York puts its clock
    utc("2026-03-29T01:00"),  # Berlin
    utc("2026-10-25T01:00"),
    utc("2026-11-01T06:00"),
    utc("2026-04-04T15:00"),  # Lord Howe
    utc("2026-10-03T15:30"),
    utc("2011-12-30T10:00"),  # Apia leaves out a day
]
slot = st.builds(
    lambda day, start, length: Slot(day=day, start=start, end=start + length),
    st.integers(0, 6),
    st.integers(0, 1440),
    st.integers(1, 1440),
)


def is_open(hours: Schedule, at: datetime) -> bool:
    """Look at the wall clock: is it within a slot of today or of the days before."""
    wall = at.astimezone(ZoneInfo(hours.zone))
    today, minute = wall.isoweekday() % 7, wall.hour * 60 + wall.minute
    return any(
        slot.start <= minute + ago * 1440 < slot.end
        for slot in hours.slots
        for ago in (0, 1, 2)
        if (slot.day + ago) % 7 == today
    )


@settings(max_examples=60)
@example(zone=BERLIN, slots=[Slot(day=0, start=135, end=165)], day=DAYS[3], ahead=-60)
@example(zone="Pacific/Apia", slots=[Slot(day=4, start=1380, end=1500)], day=DAYS[7], ahead=-30)
@given(
    zone=st.sampled_from(ZONES),
    slots=st.lists(slot, max_size=8),
    day=st.sampled_from(DAYS),
    ahead=st.integers(-2880, 2880),
)
def test_it_agrees_with_a_walk_by_the_minute(
    zone: str, slots: list[Slot], day: datetime, ahead: int
) -> None:
    hours, at = Schedule(zone=zone, slots=tuple(slots)), day + ahead * MINUTE
    walk = [is_open(hours, at + n * MINUTE) for n in range(-1500, 1500)]
    here = 1500

    opened_at, closes_at = hours.opened_at(at), hours.closes_at(at)
    opens_at = hours.opens_at(at)

    assert (opened_at is not None) == walk[here]
    if walk[here] and not all(walk[:here]):
        since = max(n for n in range(here) if not walk[n]) + 1
        assert opened_at == at + (since - here) * MINUTE
    if walk[here] and not all(walk[here:]):
        until = next(n for n in range(here, len(walk)) if not walk[n])
        assert closes_at == at + (until - here) * MINUTE
    openings = [n for n in range(here + 1, len(walk)) if walk[n] and not walk[n - 1]]
    if openings:
        assert opens_at == at + (openings[0] - here) * MINUTE
    else:
        assert opens_at is None or opens_at >= at + (len(walk) - here) * MINUTE
