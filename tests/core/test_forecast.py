from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from monitor.core.batch import Phase, Progress
from monitor.core.forecast import Forecast, Point, forecast

T0 = datetime(2026, 1, 29, 8, 0, tzinfo=UTC)


def after(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def curve(*points: tuple[float, int | None], phase: Phase = Phase.RUNNING) -> list[Point]:
    return [
        Point(at=after(minutes), finished=finished, phase=phase) for minutes, finished in points
    ]


def measured(*, total: int | None = 100, finished: int | None = 50, left: int = 0) -> Progress:
    return Progress(total=total, finished=finished, open=left, percent=None)


def test_the_pace_is_what_finished_over_the_time_that_it_took() -> None:
    found = forecast(curve((0, 0), (1, 10), (5, 50)), measured(), at=after(5))

    assert found == Forecast(calls_per_minute=10.0, ends_at=after(10))


def test_standing_still_since_the_last_point_slows_the_pace() -> None:
    found = forecast(curve((0, 0), (1, 10), (5, 50)), measured(), at=after(10))

    assert found == Forecast(calls_per_minute=5.0, ends_at=after(20))


@pytest.mark.parametrize(("minute", "told"), [(8, True), (8.1, False)])
def test_an_end_recedes_for_four_usual_steps_at_most(minute: float, *, told: bool) -> None:
    points = curve((0, 0), (1, 10), (2, 20), (3, 30), (4, 40))

    found = forecast(points, measured(), at=after(minute))

    assert (found is not None) is told


def test_only_the_last_15_minutes_count() -> None:
    points = curve((0, 0), (10, 1000), (20, 1010), (30, 1040))

    found = forecast(points, measured(total=1100, finished=1040), at=after(30))

    assert found == Forecast(calls_per_minute=40 / 15, ends_at=after(30 + 60 / (40 / 15)))


def test_more_open_calls_than_contacts_missing_are_waited_for() -> None:
    found = forecast(
        curve((0, 0), (1, 5), (5, 50)), measured(total=11, finished=50, left=20), at=after(5)
    )

    assert found == Forecast(calls_per_minute=10.0, ends_at=after(7))


@pytest.mark.parametrize(
    "earlier",
    [
        curve((-600, 0), (-1, 0), phase=Phase.PENDING),
        curve((-600, 0), (-1, 0), phase=Phase.PAUSED),
        curve((-2, 900), (-1, 950)),
        curve((-2, 0), (-1, None)),
    ],
    ids=["pending", "paused", "recounted downwards", "not counted"],
)
def test_the_pace_begins_anew_after_a_break(earlier: Sequence[Point]) -> None:
    points = [*earlier, *curve((0, 0), (1, 10), (5, 50))]

    found = forecast(points, measured(), at=after(5))

    assert found == Forecast(calls_per_minute=10.0, ends_at=after(10))


@pytest.mark.parametrize(
    ("points", "progress"),
    [
        ([], measured()),
        (curve((0, 0), (5, 50)), measured()),
        (curve((0, 0), (1, 10), (5, 50)), measured(total=None)),
        (curve((0, 0), (1, 10), (5, 50)), measured(finished=None)),
        (curve((0, 0), (1, 10), (5, 50)), measured(total=50)),
        (curve((0, 50), (1, 50), (5, 50)), measured()),
        (curve((5, 10), (5, 20), (5, 50)), measured()),
        (curve((0, 0), (1, 10), (5, 50), phase=Phase.PAUSED), measured()),
        (curve((0, 0), (1, 10), (5, None)), measured()),
        (curve((-60, 0), (-50, 10), (-40, 50)), measured()),
        (curve((-8, 0), (-7, 10), (-6, 20), (-5, 50)), measured()),
        (curve((0, 0), (0, 10), (4, 10)), measured(finished=10)),
    ],
    ids=[
        "never read",
        "one step",
        "no total",
        "no counts",
        "nothing left",
        "nothing finished",
        "no time passed",
        "paused now",
        "not counted now",
        "nothing lately",
        "nothing for ten usual steps",
        "nothing after one moment",
    ],
)
def test_nothing_is_said_where_nothing_honest_can_be(
    points: Sequence[Point], progress: Progress
) -> None:
    assert forecast(points, progress, at=after(5)) is None


def test_an_end_that_is_too_far_off_is_not_told() -> None:
    found = forecast(curve((0, 0), (1, 1), (5, 2)), measured(total=2**62, finished=2), at=after(5))

    assert found == Forecast(calls_per_minute=0.4, ends_at=None)
