from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from monitor.core.batch import Knowledge, Phase, Reading
from monitor.core.conditions import Limits
from monitor.core.knowledge import learn
from monitor.core.schedule import Schedule, Slot
from monitor.facts.hours import write_hours

MONDAY = datetime(2026, 1, 26, 8, 0, tzinfo=UTC)
LIMITS = Limits(stall_after=None, overdue_after=None, settle_after=timedelta(minutes=15))


def with_hours(*slots: tuple[int, int, int], phase: Phase = Phase.RUNNING) -> Knowledge:
    hours = [Slot(day=day, start=start * 60, end=end * 60) for day, start, end in slots]
    reading = Reading(
        status="x", phase=phase, schedule=Schedule(zone="Europe/Berlin", slots=tuple(hours))
    )
    return learn(None, reading, interval=timedelta(seconds=30), limits=LIMITS, at=MONDAY)


WEEK = tuple((day, 9, 18) for day in range(1, 6))


@pytest.mark.parametrize(
    ("slots", "written"),
    [
        ([*WEEK, (6, 9, 14)], "Mon-Fri 09:00-18:00, Sat 09:00-14:00, Europe/Berlin"),
        ([(1, 13, 17), (1, 9, 12)], "Mon 09:00-12:00 and 13:00-17:00, Europe/Berlin"),
        ([(0, 9, 26), (1, 9, 26)], "Mon 09:00-02:00, Sun 09:00-02:00, Europe/Berlin"),
        ([(6, 0, 24), (0, 0, 24), (1, 9, 10)], "Mon 09:00-10:00, Sat-Sun 00:00-24:00, Europe/"),
    ],
)
def test_hours_are_days_and_times(slots: list[tuple[int, int, int]], written: str) -> None:
    said = write_hours(with_hours(*slots), now=MONDAY)

    assert said.startswith(written)
    assert "closed" not in said


def test_out_of_hours_it_says_until_when() -> None:
    closed = with_hours(*WEEK)

    said = write_hours(closed, now=MONDAY + timedelta(hours=9))

    assert said == "Mon-Fri 09:00-18:00, Europe/Berlin; closed until 2026-01-27 08:00:00 UTC"


def test_what_has_ended_is_not_closed() -> None:
    ended = with_hours(*WEEK, phase=Phase.ENDED)

    assert write_hours(ended, now=MONDAY - timedelta(hours=9)).endswith("Europe/Berlin")


def test_at_any_time_is_nothing() -> None:
    assert write_hours(None, now=MONDAY) == ""
    assert write_hours(replace(with_hours(*WEEK), schedule=None), now=MONDAY) == ""
