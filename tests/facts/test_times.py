from datetime import timedelta

import pytest

from monitor.facts.times import write_wait


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
