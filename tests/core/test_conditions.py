from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from monitor.core.batch import Knowledge, Phase
from monitor.core.conditions import Limits, overdue_at, settles_at, stalls_at
from monitor.core.schedule import Schedule, Slot

MakeKnown = Callable[..., Knowledge]

NOW = datetime(2026, 1, 29, 8, 30, tzinfo=UTC)
"""A Thursday."""
MINUTE = timedelta(minutes=1)
LIMITS = Limits(stall_after=15 * MINUTE, overdue_after=20 * MINUTE, settle_after=15 * MINUTE)


def dials(start: int, end: int) -> Schedule:
    """Return the hours of Thursdays, in UTC, in which it dials."""
    return Schedule(zone="UTC", slots=(Slot(day=4, start=start * 60, end=end * 60),))


@pytest.fixture
def still(known: MakeKnown) -> MakeKnown:
    """Make what is known of a running batch with open calls that last moved at 8:30."""

    def still(**fields: Any) -> Knowledge:
        given = {"counts": {"completed": 5, "ringing": 2}, "open_calls": 2, "live_calls": 2}
        return known(**(given | {"changed_at": NOW, "started_at": NOW} | fields))

    return still


@pytest.fixture
def waiting(known: MakeKnown) -> MakeKnown:
    """Make what is known of a batch whose start is scheduled at 8:30."""

    def waiting(**fields: Any) -> Knowledge:
        given = {"status": "scheduled", "phase": Phase.PENDING, "scheduled_at": NOW}
        return known(**(given | {"started_at": None} | fields))

    return waiting


def test_open_calls_that_do_not_move_stall_after_stall_after(still: MakeKnown) -> None:
    assert stalls_at(still(), LIMITS, at=NOW) == NOW + 15 * MINUTE


@pytest.mark.parametrize("phase", [Phase.PENDING, Phase.UNKNOWN])
def test_open_calls_stall_whatever_the_status_says(still: MakeKnown, phase: Phase) -> None:
    assert stalls_at(still(phase=phase), LIMITS, at=NOW) == NOW + 15 * MINUTE


@pytest.mark.parametrize("counts", [None, {}, {"completed": 0}])
def test_a_batch_that_runs_stalls_before_its_first_call(
    still: MakeKnown, counts: dict[str, int] | None
) -> None:
    known = still(counts=counts, open_calls=0, live_calls=0)

    assert stalls_at(known, LIMITS, at=NOW) == NOW + 15 * MINUTE


@pytest.mark.parametrize(
    "fields",
    [
        {"stalled_at": NOW},
        {"phase": Phase.PAUSED},
        {"phase": Phase.ENDED},
        {"counted": False},
        {"parked_calls": 2, "live_calls": 0},
        {"counts": {"completed": 7}, "open_calls": 0, "live_calls": 0},
        {"counts": {}, "open_calls": 0, "live_calls": 0, "phase": Phase.PENDING},
        {
            "counts": {"queued": 7},
            "open_calls": 7,
            "live_calls": 0,
            "phase": Phase.PENDING,
            "scheduled_at": NOW,
        },
    ],
    ids=[
        "told already",
        "paused",
        "ended",
        "nobody counts",
        "all open calls are parked",
        "all calls are final and the status lags",
        "pending without calls",
        "its start is scheduled",
    ],
)
def test_what_should_not_move_does_not_stall(still: MakeKnown, fields: dict[str, Any]) -> None:
    assert stalls_at(still(**fields), LIMITS, at=NOW) is None


def test_what_is_off_has_no_time(still: MakeKnown, waiting: MakeKnown) -> None:
    off = replace(LIMITS, stall_after=None, overdue_after=None)

    assert stalls_at(still(), off, at=NOW) is None
    assert overdue_at(waiting(), off) is None


@pytest.mark.parametrize(
    ("fields", "after"),
    [
        ({"phase": Phase.ENDED}, 10 * MINUTE),
        ({"phase": Phase.ENDED, "parked_calls": 2}, timedelta(days=7)),
        ({"phase": Phase.ENDED, "parked_calls": 1}, 10 * MINUTE),
        ({"phase": Phase.ENDED, "open_calls": 0}, None),
        ({"phase": Phase.ENDED, "settled_at": NOW}, None),
        ({"phase": Phase.RUNNING}, None),
    ],
)
def test_calls_that_stay_open_after_an_end_are_waited_for(
    still: MakeKnown, fields: dict[str, Any], after: timedelta | None
) -> None:
    limits = replace(LIMITS, settle_after=10 * MINUTE)

    found = settles_at(still(**fields), limits)

    assert found == (None if after is None else NOW + after)


def test_a_start_that_is_scheduled_and_has_come_may_stall(still: MakeKnown) -> None:
    known = still(phase=Phase.PENDING, scheduled_at=NOW)

    assert stalls_at(known, LIMITS, at=NOW) == NOW + 15 * MINUTE


def test_one_call_that_is_not_parked_is_enough_to_stall(still: MakeKnown) -> None:
    assert stalls_at(still(parked_calls=1), LIMITS, at=NOW) == NOW + 15 * MINUTE


def test_outside_of_its_hours_nothing_stalls(still: MakeKnown) -> None:
    known = still(schedule=dials(10, 12))

    assert stalls_at(known, LIMITS, at=NOW) is None


def test_a_stall_counts_from_the_opening_of_its_hours(still: MakeKnown) -> None:
    known = still(schedule=dials(10, 12))
    opened_at = datetime(2026, 1, 29, 10, tzinfo=UTC)

    assert stalls_at(known, LIMITS, at=opened_at) == opened_at + 15 * MINUTE


def test_a_stall_counts_from_the_last_movement_where_that_came_later(still: MakeKnown) -> None:
    known = still(schedule=dials(8, 12))

    assert stalls_at(known, LIMITS, at=NOW) == NOW + 15 * MINUTE


def test_a_start_that_does_not_come_is_overdue_after_overdue_after(waiting: MakeKnown) -> None:
    assert overdue_at(waiting(), LIMITS) == NOW + 20 * MINUTE


@pytest.mark.parametrize(
    "fields",
    [
        {"scheduled_at": None},
        {"overdue_at": NOW},
        {"phase": Phase.RUNNING},
        {"live_calls": 1},
        {"counts": {"completed": 1}},
        {"settled_at": NOW},
        {"begun_until": NOW},
    ],
    ids=[
        "no start is scheduled",
        "told already",
        "it runs",
        "a call is dialled",
        "a call is finished",
        "settled",
        "it ran since then",
    ],
)
def test_a_start_that_has_come_or_was_never_meant_is_not_overdue(
    waiting: MakeKnown, fields: dict[str, Any]
) -> None:
    assert overdue_at(waiting(**fields), LIMITS) is None


def test_a_new_start_of_a_batch_that_ran_before_may_be_overdue(waiting: MakeKnown) -> None:
    known = waiting(begun_until=NOW - MINUTE)

    assert overdue_at(known, LIMITS) == NOW + 20 * MINUTE
