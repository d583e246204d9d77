from datetime import UTC, datetime, timedelta

import pytest

from monitor.core.forecast import Forecast
from monitor.facts.pace import write_forecast
from monitor.facts.times import write_wait

NOW = datetime(2026, 1, 29, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("wait", "written"),
    [
        (timedelta(milliseconds=200), "0 s"),
        (timedelta(seconds=40), "40 s"),
        (timedelta(minutes=12, seconds=59), "12 min"),
        (timedelta(hours=3, minutes=10), "3 h 10 min"),
        (timedelta(hours=3), "3 h"),
        (timedelta(days=1, hours=2), "1 day 2 h"),
        (timedelta(days=2), "2 days"),
    ],
)
def test_a_wait_is_written_by_its_largest_unit(wait: timedelta, written: str) -> None:
    assert write_wait(wait) == written


@pytest.mark.parametrize(
    ("pace", "minutes", "written"),
    [
        (1234.5, 12, "1,234 calls/min, ends about 2026-01-29 08:12:00 UTC, in 12 min"),
        (2.54, 90, "2.5 calls/min, ends about 2026-01-29 09:30:00 UTC, in 1 h 30 min"),
        (0.0667, None, "0.067 calls/min"),
        (25.0, -1, "25 calls/min"),
    ],
)
def test_a_forecast_is_a_pace_and_an_end_that_lies_ahead(
    pace: float, minutes: float | None, written: str
) -> None:
    ends_at = None if minutes is None else NOW + timedelta(minutes=minutes)

    assert write_forecast(Forecast(calls_per_minute=pace, ends_at=ends_at), now=NOW) == written


def test_no_forecast_is_nothing() -> None:
    assert write_forecast(None, now=NOW) == ""
