from datetime import UTC, datetime, timedelta

import pytest

from monitor.core.forecast import Forecast
from monitor.facts.pace import write_forecast

NOW = datetime(2026, 1, 29, 8, 0, tzinfo=UTC)


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
