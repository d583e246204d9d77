"""The pace over days: what is known to come is never missed, and nothing is polled for nothing."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.batch import Batch, Failures, Knowledge, Phase, Watch
from monitor.core.conditions import Limits, overdue_at, stalls_at
from monitor.core.pacing import Pace, next_poll_at
from monitor.core.schedule import Schedule, Slot

MakeKnown = Callable[..., Knowledge]
MakeBatch = Callable[..., Batch]

NOW = datetime(2026, 1, 29, 8, 30, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
DAY = timedelta(days=1)
PACE = Pace(
    interval=30 * SECOND,
    idle_interval=5 * MINUTE,
    settled_interval=HOUR,
    forget_after=DAY,
    limits=Limits(stall_after=15 * MINUTE, overdue_after=15 * MINUTE, settle_after=15 * MINUTE),
)
SHORTEST = PACE.interval * 0.5 * 0.9
OFFICE = Schedule(
    zone="America/New_York",
    slots=tuple(
        Slot(day=day, start=start * 60, end=end * 60)
        for day in range(1, 6)
        for start, end in ((9, 12), (13, 17))
    ),
)

spans = st.timedeltas(timedelta(), 3 * HOUR)
around = st.none() | st.timedeltas(-3 * HOUR, 3 * DAY)
counted = st.sampled_from([None, {"queued": 5}, {"completed": 3, "ringing": 2}, {"completed": 5}])


@st.composite
def watches(draw: st.DrawFn, known: MakeKnown, batch: MakeBatch) -> Watch:
    """Draw a batch that has not settled, as it may stand at NOW."""
    counts, start, changed_at = draw(counted), draw(around), NOW - draw(spans)
    open_calls = sum(n for word, n in (counts or {}).items() if word != "completed")
    fields = known(
        phase=draw(st.sampled_from([Phase.PENDING, Phase.RUNNING, Phase.PAUSED, Phase.UNKNOWN])),
        counts=counts,
        open_calls=open_calls,
        live_calls=open_calls if counts and "ringing" in counts else 0,
        parked_calls=draw(st.sampled_from([0, open_calls])),
        scheduled_at=None if start is None else NOW + start,
        schedule=draw(st.none() | st.just(OFFICE)),
        changed_at=changed_at,
        phase_since=changed_at,
        started_at=None,
    )
    lost = draw(st.booleans())
    failures = Failures(since=NOW - HOUR, polls=7, unreachable_since=NOW) if lost else Failures()
    return Watch(batch=batch(), known=fields, failures=failures)


def moments(known: Knowledge, at: datetime) -> list[datetime]:
    """List what is known to come, found by other means than the pace finds it."""
    found = [stalls_at(known, PACE.limits, at=at), overdue_at(known, PACE.limits)]
    if known.phase is Phase.PENDING:
        found.append(known.scheduled_at)
    if known.begun and known.phase in {Phase.RUNNING, Phase.PENDING} and known.schedule:
        found.append(known.schedule.opens_at(at))
    return [moment for moment in found if moment is not None and moment > at]


def polls(watch: Watch, *, lasts: timedelta, jitter: float = 0) -> Iterator[datetime]:
    """Poll again and again while nothing moves, and nothing is told."""
    at, end = NOW, NOW + lasts
    while at < end:
        yield at
        due_at = next_poll_at(watch, PACE, at=at, jitter=jitter)
        assert due_at is not None
        at = due_at


def waits(watch: Watch, *, lasts: timedelta) -> list[timedelta]:
    return [after - before for before, after in pairwise(polls(watch, lasts=lasts))]


@settings(max_examples=100)
@given(data=st.data(), jitter=st.floats(-1, 1))
def test_nothing_that_is_known_to_come_is_missed_whatever_the_jitter(
    known: MakeKnown, batch: MakeBatch, data: st.DataObject, jitter: float
) -> None:
    watch = data.draw(watches(known, batch))

    due_at = next_poll_at(watch, PACE, at=NOW, jitter=jitter)

    assert watch.known is not None
    assert due_at is not None
    assert all(due_at <= moment for moment in moments(watch.known, NOW))


@settings(max_examples=50)
@given(data=st.data(), jitter=st.floats(-1, 1))
def test_two_polls_are_never_close_but_for_something_that_comes_between(
    known: MakeKnown, batch: MakeBatch, data: st.DataObject, jitter: float
) -> None:
    watch = data.draw(watches(known, batch))
    assert watch.known is not None

    for before, after in pairwise(polls(watch, lasts=2 * HOUR, jitter=jitter)):
        assert after - before >= SHORTEST or after in moments(watch.known, before)


@pytest.mark.parametrize("phase", [Phase.RUNNING, Phase.PENDING, Phase.UNKNOWN, Phase.ENDED])
def test_a_batch_that_never_settles_slows_down(
    known: MakeKnown, batch: MakeBatch, phase: Phase
) -> None:
    watch = Watch(
        batch=batch(),
        known=known(
            phase=phase,
            counts={"completed": 3, "rescheduled": 1},
            open_calls=1,
            parked_calls=1,
            changed_at=NOW,
            phase_since=NOW,
        ),
    )

    found = waits(watch, lasts=8 * DAY)

    assert found[0] <= found[len(found) // 2] <= found[-1] == PACE.settled_interval
    assert sum(wait == PACE.settled_interval for wait in found) in {23, 24}


def test_a_start_made_known_more_than_a_week_before_is_looked_for_as_any_other(
    known: MakeKnown, batch: MakeBatch
) -> None:
    start = NOW + 8 * DAY
    waiting = known(
        phase=Phase.PENDING,
        scheduled_at=start,
        changed_at=NOW,
        phase_since=NOW,
        started_at=None,
        overdue_at=None,
    )

    found = list(polls(Watch(batch=batch(), known=waiting), lasts=8 * DAY + 20 * MINUTE))

    assert start in found
    assert len([at for at in found if start <= at < start + 10 * MINUTE]) == 40


def test_failed_polls_keep_the_interval_that_the_batch_had(
    known: MakeKnown, batch: MakeBatch
) -> None:
    watch = Watch(batch=batch(), known=known(changed_at=NOW - 10 * MINUTE))
    failed = replace(watch, failures=Failures(since=NOW, polls=1, refusals=1))

    assert waits(failed, lasts=HOUR) == waits(watch, lasts=HOUR)
