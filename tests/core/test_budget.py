from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from monitor.core.budget import debt, fill, room_for_running, spend

NOW = datetime(2026, 1, 29, 8, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_a_bucket_fills_at_its_rate_up_to_five_seconds_worth() -> None:
    filled = [fill(0.0, rate=2.0, since=NOW, now=NOW + n * SECOND) for n in (0, 1, 4, 5, 60)]

    assert filled == [0.0, 2.0, 8.0, 10.0, 10.0]


def test_the_slowest_source_may_save_up_one_request() -> None:
    assert fill(0.0, rate=0.01, since=NOW, now=NOW + timedelta(hours=1)) == 1.0


def test_a_clock_that_was_put_back_takes_nothing_away() -> None:
    assert fill(3.0, rate=2.0, since=NOW, now=NOW - timedelta(hours=1)) == 3.0


def test_requests_made_besides_lead_into_debt_of_a_minute_at_most() -> None:
    assert spend(1.0, 5, rate=2.0) == -4.0
    assert spend(1.0, 500, rate=2.0) == -120.0
    assert debt(-4.0, rate=2.0) == 2 * SECOND
    assert debt(3.0, rate=2.0) == timedelta()


@given(st.integers(0, 500), st.floats(0, 1, exclude_max=True))
def test_most_of_a_pressed_claim_goes_to_batches_that_run(room: int, dice: float) -> None:
    running = room_for_running(room, dice=dice)

    assert abs(running - 0.8 * room) <= 1
    assert 0 <= running <= room
