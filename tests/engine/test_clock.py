from datetime import UTC, datetime, timedelta

import pytest

from monitor.engine import clock as clocks
from monitor.engine.clock import SMALL_STEP, Clock

START = datetime(2026, 1, 29, 8, 31, tzinfo=UTC)


class Seconds:
    """Monotonic time, put forward by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.passed = 1000.0
        monkeypatch.setattr(clocks, "_monotonic", lambda: self.passed)


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> Seconds:
    return Seconds(monkeypatch)


def test_time_goes_on_from_its_anchor_with_monotonic_time(seconds: Seconds) -> None:
    clock = Clock(START)
    seconds.passed += 90.5

    assert clock.now() == START + timedelta(seconds=90.5)


def test_drift_is_followed(seconds: Seconds) -> None:
    clock = Clock(START)
    seconds.passed += 60
    wall = START + timedelta(seconds=61)

    off = clock.follow(wall, trusted=False)

    assert (off, clock.now()) == (timedelta(), wall)


@pytest.mark.parametrize("step", [timedelta(hours=1), timedelta(hours=-1), SMALL_STEP, -SMALL_STEP])
def test_a_step_of_the_wall_clock_changes_nothing(seconds: Seconds, step: timedelta) -> None:
    clock = Clock(START)

    off = clock.follow(START + step, trusted=False)

    assert (off, clock.now()) == (step, START)


def test_the_clock_that_replicas_share_is_followed_forward(seconds: Seconds) -> None:
    clock = Clock(START)
    step = timedelta(hours=1)

    off = clock.follow(START + step, trusted=True)
    seconds.passed += 1

    assert (off, clock.now()) == (timedelta(), START + step + timedelta(seconds=1))


def test_it_is_not_followed_back_or_everything_due_would_wait_as_long(seconds: Seconds) -> None:
    clock = Clock(START)
    step = timedelta(hours=-1)

    off = clock.follow(START + step, trusted=True)

    assert (off, clock.now()) == (step, START)


def test_the_real_clock_only_goes_forward() -> None:
    clock = Clock(START)

    times = [clock.now() for _ in range(1000)]

    assert times == sorted(times)
    assert times[-1] - START < timedelta(seconds=5)


def test_a_system_without_a_boot_clock_has_a_monotonic_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr("time.CLOCK_BOOTTIME", raising=False)

    assert Clock(START).now() - START < timedelta(seconds=5)
