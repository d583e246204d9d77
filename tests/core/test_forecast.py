from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from monitor.core.batch import Course, Knowledge, Phase
from monitor.core.forecast import LONGEST_COURSE, Forecast, course_of, forecast, write_rate
from monitor.core.schedule import Schedule, Slot

if TYPE_CHECKING:
    from tests.core.conftest import Life

MakeKnown = Callable[..., Knowledge]

T0 = datetime(2026, 1, 29, 8, 0, tzinfo=UTC)
UNTIL_8_08 = Schedule(zone="UTC", slots=(Slot(day=4, start=7 * 60, end=8 * 60 + 8),))


def after(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def course(*points: tuple[float, int]) -> Course:
    return tuple(
        (round(after(minutes).timestamp() * 1000), finished) for minutes, finished in points
    )


@pytest.fixture
def dialled(known: MakeKnown) -> MakeKnown:
    """Make what is known of a batch of 100 contacts with 50 finished calls; fields override."""

    def dialled(
        *points: tuple[float, int], finished: int = 50, left: int = 0, **fields: Any
    ) -> Knowledge:
        counts = {"completed": finished, "ringing": left}
        given = {"counts": counts, "open_calls": left, "valid_contacts": 100}
        return known(course=course(*points), **(given | fields))

    return dialled


def test_the_pace_is_what_finished_over_the_time_that_it_took(dialled: MakeKnown) -> None:
    found = forecast(dialled((0, 0), (1, 10), (5, 50)), at=after(5))

    assert found == Forecast(calls_per_minute=10.0, ends_at=after(10))


def test_standing_still_since_the_last_point_slows_the_pace(dialled: MakeKnown) -> None:
    found = forecast(dialled((0, 0), (1, 10), (5, 50)), at=after(10))

    assert found == Forecast(calls_per_minute=5.0, ends_at=after(20))


@pytest.mark.parametrize(("minute", "told"), [(8, True), (8.1, False)])
def test_an_end_recedes_for_four_usual_steps_at_most(
    dialled: MakeKnown, minute: float, *, told: bool
) -> None:
    known = dialled((0, 0), (1, 10), (2, 20), (3, 30), (4, 40))

    found = forecast(known, at=after(minute))

    assert (found is not None) is told


def test_only_the_last_15_minutes_count(dialled: MakeKnown) -> None:
    known = dialled((0, 0), (10, 1000), (20, 1010), (30, 1040), finished=1040, valid_contacts=1100)

    found = forecast(known, at=after(30))

    assert found == Forecast(calls_per_minute=40 / 15, ends_at=after(30 + 60 / (40 / 15)))


def test_more_open_calls_than_contacts_missing_are_waited_for(dialled: MakeKnown) -> None:
    known = dialled((0, 0), (1, 5), (5, 50), left=20, valid_contacts=11)

    found = forecast(known, at=after(5))

    assert found == Forecast(calls_per_minute=10.0, ends_at=after(7))


@pytest.mark.parametrize(
    ("points", "fields"),
    [
        ([], {}),
        ([(0, 0), (5, 50)], {}),
        ([(0, 0), (1, 10), (5, 50)], {"counts": None, "valid_contacts": None}),
        ([(0, 0), (1, 10), (5, 50)], {"counts": None}),
        ([(0, 0), (1, 10), (5, 50)], {"valid_contacts": 50}),
        ([(0, 50), (1, 50), (5, 50)], {}),
        ([(5, 10), (5, 20), (5, 50)], {}),
        ([(0, 0), (1, 10), (5, 50)], {"stalled_at": T0}),
        ([(-60, 0), (-50, 10), (-40, 50)], {}),
        ([(-8, 0), (-7, 10), (-6, 20), (-5, 50)], {}),
    ],
    ids=[
        "never read",
        "one step",
        "no total",
        "no counts",
        "nothing left",
        "nothing finished",
        "no time passed",
        "stalled",
        "nothing lately",
        "nothing for ten usual steps",
    ],
)
def test_nothing_is_said_where_nothing_honest_can_be(
    dialled: MakeKnown, points: list[tuple[float, int]], fields: dict[str, Any]
) -> None:
    assert forecast(dialled(*points, **fields), at=after(5)) is None


def test_an_end_that_is_too_far_off_is_not_told(dialled: MakeKnown) -> None:
    known = dialled((0, 0), (1, 1), (5, 2), finished=2, valid_contacts=2**62)

    found = forecast(known, at=after(5))

    assert found == Forecast(calls_per_minute=0.4, ends_at=None)


def test_no_end_is_told_while_all_open_calls_wait_for_a_later_time(dialled: MakeKnown) -> None:
    known = dialled((0, 0), (1, 10), (5, 50), left=50, parked_calls=50)

    found = forecast(known, at=after(5))

    assert found == Forecast(calls_per_minute=10.0, ends_at=None)


@pytest.mark.parametrize(("contacts", "ends_at"), [(80, after(8)), (81, None)])
def test_no_end_is_told_that_lies_beyond_the_hours_in_which_it_dials(
    dialled: MakeKnown, contacts: int, ends_at: datetime | None
) -> None:
    known = dialled(
        (0, 0),
        (1, 10),
        (5, 50),
        valid_contacts=contacts,
        schedule=UNTIL_8_08,
    )

    found = forecast(known, at=after(5))

    assert found == Forecast(calls_per_minute=10.0, ends_at=ends_at)


def test_a_course_grows_by_a_point_whenever_calls_finished(dialled: MakeKnown) -> None:
    grown = course_of((), dialled(finished=0), at=after(0))
    grown = course_of(grown, dialled(finished=0), at=after(1))
    grown = course_of(grown, dialled(finished=7), at=after(2))

    assert grown == course((0, 0), (2, 7))


@pytest.mark.parametrize(
    "fields",
    [
        {"counts": None},
        {"settled_at": T0},
        {"phase": Phase.PAUSED},
        {"phase": Phase.PENDING, "counts": {"queued": 9}, "open_calls": 9},
    ],
    ids=["not counted", "settled", "paused", "pending"],
)
def test_a_course_is_forgotten_while_nothing_is_dialled(
    dialled: MakeKnown, fields: dict[str, Any]
) -> None:
    assert course_of(course((0, 0), (1, 9)), dialled(**fields), at=after(2)) == ()


def test_a_course_begins_anew_after_a_recount_downwards(dialled: MakeKnown) -> None:
    assert course_of(course((0, 0), (1, 90)), dialled(), at=after(2)) == course((2, 50))


def test_a_course_reaches_back_to_what_stood_15_minutes_ago(dialled: MakeKnown) -> None:
    before = course((0, 0), (4, 10), (6, 20), (19, 40))

    assert course_of(before, dialled(), at=after(20)) == course(
        (4, 10), (6, 20), (19, 40), (20, 50)
    )


def test_of_a_long_course_every_other_point_goes(dialled: MakeKnown) -> None:
    before = course(*((number / 10, number) for number in range(LONGEST_COURSE)))

    grown = course_of(before, dialled(finished=99), at=after(5))

    assert grown == (*before[::2], *course((5, 99)))


def test_a_pace_and_its_end_come_from_the_readings_themselves(life: "Life") -> None:
    for minute in range(6):
        life.reads(
            counts={"completed": 10 * minute},
            valid_contacts=100,
            after=timedelta(minutes=1),
        )

    told = life.data("batch.counts_changed")["forecast"]

    assert told["calls_per_minute"] == 10.0
    assert told["ends_at"] == "2026-01-29T08:40:30.000Z"


@pytest.mark.parametrize(
    ("pace", "written"),
    [(0.123, "0.12"), (2.5, "2.5"), (9.96, "10"), (10, "10"), (1234.4, "1,234")],
)
def test_a_pace_is_written_in_two_digits_or_whole(pace: float, written: str) -> None:
    assert write_rate(pace) == written
