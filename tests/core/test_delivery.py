from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.delivery import (
    SCHEDULE,
    Delivery,
    DeliveryState,
    Settlement,
    Verdict,
    VerdictKind,
    settle,
    verdict_on,
)
from monitor.core.event import SubjectKind
from monitor.core.pause import Hold, hold

NOW = datetime(2026, 1, 29, 8, 30, tzinfo=UTC)
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
DELIVERED, RETRY, HOLD, DEAD = VerdictKind
FAILED = Verdict(kind=RETRY, status_code=400)


def delivery(**fields: Any) -> Delivery:
    given: dict[str, Any] = {
        "row": 1,
        "epoch": 1,
        "event_id": "evt_A",
        "event_type": "batch.completed",
        "body": b"{}",
        "receiver": "crm",
        "subject_kind": SubjectKind.BATCH,
        "subject_row": 7,
        "sequence": 1,
        "attempts": 0,
        "observed_at": NOW,
        "enqueued_at": NOW,
    }
    return Delivery(**(given | fields))


def settled(
    owed: Delivery,
    verdict: Verdict,
    *,
    schedule: tuple[timedelta, ...] = SCHEDULE,
    at: datetime = NOW,
    jitter: float = 0,
) -> Settlement:
    return settle(owed, verdict, schedule=schedule, at=at, jitter=jitter)


@pytest.mark.parametrize("status_code", [200, 201, 202, 204, 299])
def test_success_is_2xx(status_code: int) -> None:
    assert verdict_on(status_code) == Verdict(kind=DELIVERED, status_code=status_code)


@pytest.mark.parametrize("status_code", [300, 301, 302, 303, 304, 307, 308])
def test_redirects_are_failures_of_that_delivery(status_code: int) -> None:
    assert verdict_on(status_code).kind is RETRY


@pytest.mark.parametrize("status_code", [100, 199, 400, 401, 403, 404, 408, 409, 413, 422, 499])
def test_other_answers_concern_that_delivery_alone(status_code: int) -> None:
    assert verdict_on(status_code).kind is RETRY


@pytest.mark.parametrize("status_code", [429, 500, 501, 502, 503, 504, 599])
def test_429_and_5xx_hold_the_receiver(status_code: int) -> None:
    assert verdict_on(status_code).kind is HOLD


def test_410_ends_a_delivery_at_once() -> None:
    assert verdict_on(410).kind is DEAD


def test_a_verdict_keeps_what_the_answer_asked_for() -> None:
    assert verdict_on(429, 7 * SECOND).retry_after == 7 * SECOND


def test_the_schedule_is_5s_5m_30m_2h_5h_10h_14h_20h_24h() -> None:
    seconds = (5, 300, 1800)
    hours = (2, 5, 10, 14, 20, 24)

    assert (*(n * SECOND for n in seconds), *(n * HOUR for n in hours)) == SCHEDULE


def test_nine_delays_are_ten_attempts_over_75_hours() -> None:
    owed, at, attempts = delivery(), NOW, 0
    states = []

    while True:
        after = settled(owed, FAILED, at=at)
        attempts += 1
        states.append(after.state)
        if after.due_at is None:
            break
        owed, at = delivery(attempts=after.attempts), after.due_at

    assert attempts == 10
    assert states == [DeliveryState.PENDING] * 9 + [DeliveryState.DEAD]
    assert 75 * HOUR <= at - NOW < 76 * HOUR


@pytest.mark.parametrize(("made", "wait"), list(enumerate(SCHEDULE)))
def test_a_failed_attempt_is_repeated_after_the_next_delay(made: int, wait: timedelta) -> None:
    assert settled(delivery(attempts=made), FAILED) == Settlement(
        state=DeliveryState.PENDING, due_at=NOW + wait, attempts=made + 1
    )


def test_delays_are_spread_by_a_fifth() -> None:
    assert settled(delivery(), FAILED, jitter=-1).due_at == NOW + 4 * SECOND
    assert settled(delivery(), FAILED, jitter=1).due_at == NOW + 6 * SECOND


def test_ten_attempts_are_made_however_the_jitter_falls() -> None:
    owed, at = delivery(), NOW

    for made in range(1, 10):
        after = settled(owed, FAILED, at=at, jitter=1)
        assert after.due_at is not None
        assert after.attempts == made
        owed, at = delivery(attempts=made), after.due_at


def test_a_delivery_is_dead_after_its_last_attempt() -> None:
    assert settled(delivery(attempts=9), FAILED) == Settlement(
        state=DeliveryState.DEAD, due_at=None, attempts=10
    )


def test_a_schedule_of_n_delays_is_n_plus_1_attempts() -> None:
    schedule = (SECOND,)

    first = settled(delivery(), FAILED, schedule=schedule)
    second = settled(delivery(attempts=1), FAILED, schedule=schedule)

    assert (first.state, second.state) == (DeliveryState.PENDING, DeliveryState.DEAD)


def test_a_delivery_is_dead_on_410_at_once() -> None:
    assert settled(delivery(), verdict_on(410)) == Settlement(
        state=DeliveryState.DEAD, due_at=None, attempts=1
    )


def test_success_ends_a_delivery() -> None:
    assert settled(delivery(attempts=3), verdict_on(204)) == Settlement(
        state=DeliveryState.DELIVERED, due_at=None, attempts=4
    )


def test_success_counts_however_old_the_delivery_is() -> None:
    old = delivery(enqueued_at=NOW - 1000 * HOUR)

    assert settled(old, verdict_on(200)).state is DeliveryState.DELIVERED


@pytest.mark.parametrize("verdict", [Verdict(kind=HOLD, error="timeout"), verdict_on(503)])
def test_an_attempt_that_holds_does_not_use_up_the_schedule(verdict: Verdict) -> None:
    assert settled(delivery(attempts=9), verdict) == Settlement(
        state=DeliveryState.PENDING, due_at=NOW, attempts=9
    )


@pytest.mark.parametrize("verdict", [FAILED, verdict_on(503)])
def test_a_delivery_older_than_the_whole_schedule_is_dead(verdict: Verdict) -> None:
    schedule = (HOUR, HOUR)
    young = delivery(enqueued_at=NOW - 2 * HOUR)
    old = delivery(enqueued_at=NOW - 2 * HOUR * 1.2 - SECOND)

    assert settled(young, verdict, schedule=schedule).state is DeliveryState.PENDING
    assert settled(old, verdict, schedule=schedule).state is DeliveryState.DEAD
    assert settled(old, verdict, schedule=schedule).due_at is None


def test_a_delivery_that_died_of_age_while_held_made_no_attempt_of_its_own() -> None:
    old = delivery(attempts=2, enqueued_at=NOW - 1000 * HOUR)

    assert settled(old, verdict_on(500)).attempts == 2
    assert settled(old, FAILED).attempts == 3


def waits_of(verdict: Verdict, holds: int) -> list[float]:
    current: Hold | None = None
    waits = []
    for _ in range(holds):
        at = NOW if current is None else current.until
        current = hold(current, verdict, at=at)
        waits.append((current.until - at).total_seconds())
    return waits


def test_a_held_receiver_is_probed_after_5_10_20_seconds_up_to_5_minutes() -> None:
    steps = [5, 10, 20, 40, 80, 160, 300, 300]

    assert waits_of(Verdict(kind=HOLD, error="connect"), 8) == steps
    assert waits_of(verdict_on(503), 8) == steps


def test_a_hold_of_days_stays_at_5_minutes() -> None:
    assert waits_of(verdict_on(500), 2000)[-1] == 300


def test_a_hold_remembers_since_when() -> None:
    first = hold(None, verdict_on(500), at=NOW)
    second = hold(first, verdict_on(500), at=first.until)

    assert first == Hold(since=NOW, until=NOW + 5 * SECOND, step=0)
    assert second == Hold(since=NOW, until=NOW + 15 * SECOND, step=1)


@pytest.mark.parametrize(
    ("asked", "wait"),
    [
        (None, 60 * SECOND),
        (7 * SECOND, 7 * SECOND),
        (HOUR, HOUR),
        (24 * HOUR, HOUR),
        (timedelta(), 60 * SECOND),
        (timedelta(seconds=-5), 60 * SECOND),
    ],
)
def test_a_429_holds_for_what_it_asks_between_a_second_and_an_hour_else_60_seconds(
    asked: timedelta | None, wait: timedelta
) -> None:
    assert hold(None, verdict_on(429, asked), at=NOW).until == NOW + wait


@pytest.mark.parametrize(
    ("asked", "wait"),
    [
        (None, 20 * SECOND),
        (timedelta(), 20 * SECOND),
        (7 * SECOND, 20 * SECOND),
        (HOUR, HOUR),
        (24 * HOUR, HOUR),
    ],
)
def test_a_5xx_holds_for_what_it_asks_if_that_is_longer_than_the_step(
    asked: timedelta | None, wait: timedelta
) -> None:
    current = Hold(since=NOW, until=NOW, step=1)

    assert hold(current, verdict_on(503, asked), at=NOW).until == NOW + wait


@given(
    attempts=st.integers(0, 30),
    kind=st.sampled_from(VerdictKind),
    age=st.timedeltas(timedelta(), 200 * HOUR),
    jitter=st.floats(-1, 1),
)
def test_only_a_pending_delivery_has_a_due_time(
    attempts: int, kind: VerdictKind, age: timedelta, jitter: float
) -> None:
    owed = delivery(attempts=attempts, enqueued_at=NOW - age)

    after = settled(owed, Verdict(kind=kind), jitter=jitter)

    assert (after.due_at is not None) is (after.state is DeliveryState.PENDING)
    assert after.due_at is None or after.due_at >= NOW
