from datetime import UTC, datetime, timedelta, timezone

import pytest

from monitor.storage.sql import from_milliseconds, milliseconds


@pytest.mark.parametrize(
    "at",
    [
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=UTC),
        datetime(2026, 1, 29, 8, 31, 2, 114000, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC),
        datetime(1, 1, 1, tzinfo=UTC),
    ],
)
def test_a_time_comes_back_to_the_millisecond(at: datetime) -> None:
    assert from_milliseconds(milliseconds(at)) == at


def test_every_zone_is_stored_as_utc() -> None:
    at = datetime(2026, 1, 29, 10, 0, tzinfo=timezone(timedelta(hours=2)))

    assert from_milliseconds(milliseconds(at)) == datetime(2026, 1, 29, 8, 0, tzinfo=UTC)


def test_what_is_beyond_milliseconds_is_cut() -> None:
    assert milliseconds(datetime(1970, 1, 1, 0, 0, 0, 1999, tzinfo=UTC)) == 1


def test_no_time_is_no_time() -> None:
    assert (milliseconds(None), from_milliseconds(None)) == (None, None)
