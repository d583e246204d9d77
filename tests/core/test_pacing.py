from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.batch import Batch, Course, Failures, Knowledge, Outcome, Phase, Watch
from monitor.core.conditions import Limits
from monitor.core.pacing import Pace, next_poll_at
from monitor.core.schedule import Schedule, Slot

MakeKnown = Callable[..., Knowledge]
MakeBatch = Callable[..., Batch]
Wait = Callable[..., timedelta | None]

NOW = datetime(2026, 1, 29, 8, 30, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MOMENT = timedelta(milliseconds=1)
INTERVAL, IDLE, SETTLED, FORGET = timedelta(seconds=30), timedelta(minutes=5), HOUR, DAY
LIMITS = Limits(stall_after=DAY, overdue_after=DAY, settle_after=DAY)
PACE = Pace(
    interval=INTERVAL,
    idle_interval=IDLE,
    settled_interval=SETTLED,
    forget_after=FORGET,
    limits=LIMITS,
)
FORGOTTEN = None
ENDED = {"phase": Phase.ENDED, "outcome": Outcome.COMPLETED}


def dials(start: int, end: int) -> Schedule:
    """Return the hours of Thursdays, as this day is one, in UTC, in which it dials."""
    return Schedule(zone="UTC", slots=(Slot(day=4, start=start * 60, end=end * 60),))


def course(*points: tuple[float, int]) -> Course:
    """Return how finished calls grew, by minutes from now."""
    return tuple(
        (round((NOW + timedelta(minutes=minutes)).timestamp() * 1000), finished)
        for minutes, finished in points
    )


@pytest.fixture(scope="session")
def wait(known: MakeKnown, batch: MakeBatch) -> Wait:
    """Return how long a batch waits for its next poll; fields say what is known of it."""

    def wait(
        *,
        jitter: float = 0,
        pace: Pace = PACE,
        failures: Failures = Failures(),  # noqa: B008 (immutable)
        never_read: bool = False,
        **fields: Any,
    ) -> timedelta | None:
        seen = None if never_read else known(**({"changed_at": NOW, "phase_since": NOW} | fields))
        watch = Watch(batch=batch(), known=seen, failures=failures)
        due = next_poll_at(watch, pace, at=NOW, jitter=jitter)
        return None if due is None else due - NOW

    return wait


def test_a_running_batch_is_polled_at_the_interval(wait: Wait) -> None:
    assert wait(phase=Phase.RUNNING, phase_since=NOW - 6 * DAY) == INTERVAL


def test_a_batch_pending_for_less_than_an_hour_is_polled_at_the_interval(wait: Wait) -> None:
    assert wait(phase=Phase.PENDING, phase_since=NOW - HOUR + MOMENT) == INTERVAL


def test_a_batch_pending_for_longer_is_polled_at_the_idle_interval(wait: Wait) -> None:
    assert wait(phase=Phase.PENDING, phase_since=NOW - HOUR) == IDLE


def test_a_start_far_ahead_is_polled_for_at_the_idle_interval_at_once(wait: Wait) -> None:
    assert wait(phase=Phase.PENDING, scheduled_at=NOW + IDLE + 2 * MOMENT) == IDLE


def test_a_start_nearer_than_the_idle_interval_is_polled_for_at_the_interval(wait: Wait) -> None:
    assert wait(phase=Phase.PENDING, scheduled_at=NOW + IDLE) == INTERVAL


def test_a_start_is_never_missed(wait: Wait) -> None:
    ahead = IDLE + 2 * MOMENT

    assert wait(phase=Phase.PENDING, scheduled_at=NOW + timedelta(seconds=7)) == timedelta(
        seconds=7
    )
    assert wait(phase=Phase.PENDING, scheduled_at=NOW + ahead, jitter=1) == ahead


@pytest.mark.parametrize(
    ("late", "expected"),
    [
        (timedelta(), INTERVAL / 2),
        (timedelta(minutes=10) - MOMENT, INTERVAL / 2),
        (timedelta(minutes=10), INTERVAL),
        (HOUR - MOMENT, INTERVAL),
        (HOUR, IDLE),
    ],
)
def test_a_start_that_should_come_is_looked_for_the_more_often_the_nearer_it_is(
    wait: Wait, late: timedelta, expected: timedelta
) -> None:
    old = NOW - DAY / 2

    assert wait(phase=Phase.PENDING, scheduled_at=NOW - late, phase_since=old) == expected


def test_a_rerun_with_an_old_start_is_fresh_for_an_hour(wait: Wait) -> None:
    old = {"phase": Phase.PENDING, "scheduled_at": NOW - DAY, "started_at": NOW - HOUR}

    assert wait(**old, phase_since=NOW - HOUR + MOMENT) == INTERVAL
    assert wait(**old, phase_since=NOW - HOUR) == IDLE


def test_a_batch_that_dials_while_its_status_waits_is_polled_at_the_interval(wait: Wait) -> None:
    assert wait(phase=Phase.PENDING, live_calls=1, phase_since=NOW - 2 * HOUR) == INTERVAL


def test_outside_of_its_hours_a_batch_is_polled_at_the_idle_interval(wait: Wait) -> None:
    assert wait(phase=Phase.RUNNING, schedule=dials(10, 12)) == IDLE
    assert wait(phase=Phase.RUNNING, schedule=dials(8, 12)) == INTERVAL


def test_so_is_one_that_dials_while_its_status_waits(wait: Wait) -> None:
    assert wait(phase=Phase.PENDING, live_calls=1, schedule=dials(10, 12)) == IDLE
    assert wait(phase=Phase.PENDING, live_calls=1, schedule=dials(8, 12)) == INTERVAL


@pytest.mark.parametrize("phase", [Phase.RUNNING, Phase.PENDING])
def test_the_opening_of_its_hours_is_never_missed(wait: Wait, phase: Phase) -> None:
    pace = replace(PACE, idle_interval=DAY)

    opens_in = wait(phase=phase, live_calls=1, schedule=dials(10, 12), pace=pace)

    assert opens_in == timedelta(hours=1, minutes=30)


def test_what_has_not_begun_has_no_hours_to_wait_for(wait: Wait) -> None:
    pace = replace(PACE, idle_interval=DAY)

    old = {"phase": Phase.PENDING, "phase_since": NOW - 2 * HOUR}

    assert wait(**old, schedule=dials(10, 12), pace=pace) == DAY


def test_a_batch_without_any_hours_waits_for_no_opening(wait: Wait) -> None:
    assert wait(phase=Phase.RUNNING, schedule=Schedule(zone="UTC", slots=())) == IDLE


def test_an_end_nearer_than_an_interval_is_looked_for_twice_as_often(wait: Wait) -> None:
    counts = {"completed": 100}
    fields: dict[str, Any] = {"counts": counts, "course": course((-2, 0), (-1, 50), (0, 100))}

    assert wait(**fields, valid_contacts=120) == INTERVAL / 2
    assert wait(**fields, valid_contacts=200) == INTERVAL
    assert wait(**fields, valid_contacts=2**40) == INTERVAL


def test_the_moment_at_which_it_has_stalled_is_never_missed(wait: Wait) -> None:
    limits = Limits(stall_after=timedelta(seconds=20), overdue_after=DAY, settle_after=DAY)
    pace = replace(PACE, limits=limits)

    assert wait(phase=Phase.RUNNING, pace=pace, jitter=1) == timedelta(seconds=20)
    assert wait(phase=Phase.RUNNING, pace=pace, stalled_at=NOW) == INTERVAL
    assert wait(phase=Phase.RUNNING, pace=pace, changed_at=NOW - timedelta(seconds=20)) == INTERVAL


def test_the_moment_at_which_its_start_is_overdue_is_never_missed(wait: Wait) -> None:
    limits = Limits(stall_after=DAY, overdue_after=timedelta(hours=2), settle_after=DAY)
    start = NOW - timedelta(hours=2) + timedelta(seconds=9)

    found = wait(
        phase=Phase.PENDING,
        scheduled_at=start,
        started_at=None,
        phase_since=start,
        pace=replace(PACE, limits=limits),
    )

    assert found == timedelta(seconds=9)


def test_a_paused_batch_is_polled_at_the_idle_interval(wait: Wait) -> None:
    assert wait(phase=Phase.PAUSED) == IDLE


def test_a_batch_in_an_unknown_phase_is_polled_at_the_interval(wait: Wait) -> None:
    assert wait(phase=Phase.UNKNOWN, phase_since=NOW - 2 * HOUR) == INTERVAL


def test_a_batch_never_read_is_polled_at_the_interval(wait: Wait) -> None:
    assert wait(never_read=True) == INTERVAL


def test_an_ended_batch_is_polled_at_the_interval_until_it_settled(wait: Wait) -> None:
    assert wait(**ENDED, phase_since=NOW - 2 * HOUR) == INTERVAL


@pytest.mark.parametrize("phase", [Phase.ENDED, Phase.UNKNOWN])
def test_an_end_or_an_unknown_word_without_movement_is_idle_after_an_hour(
    wait: Wait, phase: Phase
) -> None:
    assert wait(phase=phase, changed_at=NOW - HOUR + MOMENT) == INTERVAL
    assert wait(phase=phase, changed_at=NOW - HOUR) == IDLE


def test_a_settled_batch_is_polled_at_the_settled_interval(wait: Wait) -> None:
    assert wait(**ENDED, settled_at=NOW) == SETTLED


@pytest.mark.parametrize("phase", [Phase.PENDING, Phase.RUNNING, Phase.PAUSED, Phase.UNKNOWN])
def test_a_batch_unchanged_for_7_days_is_polled_at_the_settled_interval(
    wait: Wait, phase: Phase
) -> None:
    old = NOW - 30 * DAY

    assert wait(phase=phase, phase_since=old, changed_at=NOW - 7 * DAY) == SETTLED
    assert wait(phase=phase, phase_since=old, changed_at=NOW - 7 * DAY + MOMENT) != SETTLED


@pytest.mark.parametrize("never_read", [False, True])
def test_a_batch_unreachable_for_7_days_is_polled_at_the_settled_interval(
    wait: Wait, never_read: bool
) -> None:
    week = Failures(unreachable_since=NOW - 7 * DAY)
    less = Failures(unreachable_since=NOW - 7 * DAY + MOMENT)

    assert wait(failures=week, never_read=never_read) == SETTLED
    assert wait(failures=less, never_read=never_read) == INTERVAL


def test_an_unreachable_batch_keeps_its_ordinary_interval_till_then(wait: Wait) -> None:
    lost = Failures(unreachable_since=NOW - DAY)

    assert wait(phase=Phase.PAUSED, failures=lost) == IDLE


def test_a_failed_poll_is_repeated_after_the_ordinary_interval(wait: Wait) -> None:
    assert wait(failures=Failures(polls=3, since=NOW - HOUR, refusals=3)) == INTERVAL


def test_a_settled_batch_is_forgotten_after_forget_after(wait: Wait) -> None:
    assert wait(**ENDED, settled_at=NOW - FORGET) is FORGOTTEN
    assert wait(**ENDED, settled_at=NOW - FORGET - DAY) is FORGOTTEN


def test_a_settled_batch_is_polled_a_last_time_at_the_moment_when_it_is_forgotten(
    wait: Wait,
) -> None:
    assert wait(**ENDED, settled_at=NOW - FORGET + timedelta(minutes=7)) == timedelta(minutes=7)


def test_a_short_forget_after_still_brings_a_last_poll(wait: Wait) -> None:
    pace = Pace(
        interval=INTERVAL,
        idle_interval=IDLE,
        settled_interval=SETTLED,
        forget_after=timedelta(minutes=1),
        limits=LIMITS,
    )

    assert wait(**ENDED, settled_at=NOW, pace=pace) == timedelta(minutes=1)


def test_an_unreachable_batch_is_forgotten_forget_after_those_7_days(wait: Wait) -> None:
    gone = Failures(unreachable_since=NOW - 7 * DAY - FORGET)
    nearly = Failures(unreachable_since=NOW - 7 * DAY - FORGET + MOMENT)

    assert wait(failures=gone) is FORGOTTEN
    assert wait(failures=gone, never_read=True) is FORGOTTEN
    assert wait(failures=nearly) == MOMENT


def test_a_settled_batch_that_becomes_unreachable_is_forgotten_as_a_settled_one(
    wait: Wait,
) -> None:
    lost = Failures(unreachable_since=NOW - HOUR)

    assert wait(**ENDED, settled_at=NOW - FORGET, failures=lost) is FORGOTTEN


def test_a_batch_that_is_merely_unchanged_is_never_forgotten(wait: Wait) -> None:
    assert wait(phase=Phase.RUNNING, changed_at=NOW - 400 * DAY) == SETTLED


def test_jitter_spreads_every_interval_by_a_tenth(wait: Wait) -> None:
    assert wait(jitter=-1) == INTERVAL * 0.9
    assert wait(jitter=1) == INTERVAL * 1.1
    assert wait(jitter=-1, phase=Phase.PAUSED) == IDLE * 0.9
    assert wait(jitter=1, **ENDED, settled_at=NOW) == SETTLED * 1.1


@settings(max_examples=50)
@given(
    jitter=st.floats(-1, 1),
    phase=st.sampled_from(Phase),
    settled=st.none() | st.timedeltas(timedelta(), 3 * DAY),
    unreachable=st.none() | st.timedeltas(timedelta(), 10 * DAY),
    changed=st.timedeltas(timedelta(), 10 * DAY),
)
def test_no_wait_is_longer_than_the_longest_interval_and_a_tenth_nor_in_the_past(
    wait: Wait,
    jitter: float,
    phase: Phase,
    settled: timedelta | None,
    unreachable: timedelta | None,
    changed: timedelta,
) -> None:
    found = wait(
        jitter=jitter,
        phase=phase,
        changed_at=NOW - changed,
        phase_since=NOW - changed,
        settled_at=None if settled is None else NOW - settled,
        failures=Failures(unreachable_since=None if unreachable is None else NOW - unreachable),
    )

    assert found is FORGOTTEN or timedelta() < found <= SETTLED * 1.1
    assert found is not FORGOTTEN or settled is not None or unreachable is not None


@pytest.mark.parametrize("name", ["interval", "idle_interval", "settled_interval"])
def test_a_pace_is_shorter_when_any_of_its_intervals_is(name: str) -> None:
    shorter = replace(PACE, **{name: getattr(PACE, name) / 2})

    assert shorter.is_shorter_than(PACE)
    assert not PACE.is_shorter_than(shorter)
    assert not PACE.is_shorter_than(PACE)


@pytest.mark.parametrize(
    "limits", [replace(LIMITS, stall_after=HOUR), replace(LIMITS, overdue_after=HOUR)]
)
def test_a_pace_is_shorter_when_something_is_too_long_sooner(limits: Limits) -> None:
    sooner = replace(PACE, limits=limits)

    assert sooner.is_shorter_than(PACE)
    assert not PACE.is_shorter_than(sooner)


def test_a_pace_is_shorter_when_other_hours_may_be_open_now() -> None:
    anytime, morning, evening = (
        replace(PACE, limits=replace(LIMITS, hours=hours))
        for hours in (None, dials(8, 12), dials(18, 20))
    )

    assert morning.is_shorter_than(evening)
    assert anytime.is_shorter_than(evening)
    assert not evening.is_shorter_than(anytime)
    assert not evening.is_shorter_than(evening)
