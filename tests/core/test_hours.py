"""The hours of a source: they stand in for the schedule of a batch that shows none."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from monitor.core.forecast import forecast
from monitor.core.schedule import Schedule, Slot
from tests.core.names import COUNTS, PROGRESSING, STALLED, STILL

if TYPE_CHECKING:
    from tests.core.conftest import Life

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
RINGING = {"completed": 5, "ringing": 2}


def daily(start: int, end: int) -> Schedule:
    """Return the same hours of every day, in UTC."""
    slots = (Slot(day=day, start=start * 60, end=end * 60) for day in range(7))
    return Schedule(zone="UTC", slots=tuple(slots))


OFFICE, NIGHT = daily(8, 18), daily(20, 24)
"""A life begins at 8:30, within the office's."""


@pytest.fixture
def life(new_life: "Callable[..., Life]") -> "Life":
    """Watch a batch of a source with the hours of an office."""
    made = new_life()
    made.limits = replace(made.limits, hours=OFFICE)
    return made


def until(life: "Life", hour: int, minute: int = 0, *, day: int = 29) -> timedelta:
    return datetime(2026, 1, day, hour, minute, tzinfo=UTC) - life.now


def test_an_evening_passes_without_a_word_and_the_morning_counts_from_its_opening(
    life: "Life",
) -> None:
    life.reads(counts=RINGING)
    life.reads(counts={"completed": 6, "ringing": 1}, after=until(life, 17, 50))

    for hour in (18, 20, 23):
        assert life.reads(counts={"completed": 6, "ringing": 1}, after=until(life, hour, 30)) == []
    still = {"completed": 6, "ringing": 1}
    assert life.reads(counts=still, after=until(life, 8, 14, day=30)) == []
    assert life.reads(counts=still, after=until(life, 8, 15, day=30)) == [STALLED]
    assert life.data(STALLED)["since"] == "2026-01-29T17:50:00.000Z"


def test_a_schedule_that_the_provider_shows_goes_before(life: "Life") -> None:
    life.reads(counts=RINGING, schedule=NIGHT)
    assert life.known.schedule == NIGHT
    assert life.reads(counts=RINGING, schedule=NIGHT, after=2 * STILL) == []

    assert life.reads(counts=RINGING, schedule=None) == [STALLED]
    assert life.known.schedule == OFFICE


@pytest.mark.parametrize("hours", [NIGHT, None])
def test_a_change_of_hours_holds_from_the_next_reading_and_is_no_movement(
    life: "Life", hours: Schedule | None
) -> None:
    life.reads(counts=RINGING)
    before = life.known

    life.limits = replace(life.limits, hours=hours)

    assert life.reads(counts=RINGING) == []
    assert life.known == replace(before, schedule=hours)
    assert len(life.snapshots) == 1


def test_hours_that_are_closed_now_keep_a_stall_from_being_told(life: "Life") -> None:
    life.limits = replace(life.limits, hours=None)
    life.reads(counts=RINGING)

    life.limits = replace(life.limits, hours=NIGHT)

    assert life.reads(counts=RINGING, after=2 * STILL) == []


def test_a_stall_that_is_told_lasts_until_something_moves_whatever_the_hours(life: "Life") -> None:
    life.limits = replace(life.limits, hours=None)
    life.reads(counts=RINGING)
    assert life.reads(counts=RINGING, after=STILL) == [STALLED]

    life.limits = replace(life.limits, hours=NIGHT)

    assert life.reads(counts=RINGING, after=HOUR) == []
    assert life.known.stalled_at is not None
    assert life.reads(counts={"completed": 6, "ringing": 1}) == [COUNTS, PROGRESSING]


def test_a_forecast_ends_with_the_hours(life: "Life") -> None:
    life.reads(counts={"ringing": 1000})
    for finished in range(1, 6):
        life.reads(counts={"completed": finished, "ringing": 1000 - finished}, after=MINUTE)

    found = forecast(life.known, at=life.now)

    assert found is not None
    assert found.calls_per_minute == pytest.approx(1)
    assert found.ends_at is None
