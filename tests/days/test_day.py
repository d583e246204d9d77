import asyncio
import os
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import structlog
import uvloop

from tests.days.day import Day, play

FULL = "MONITOR_DAY_GRAIN" in os.environ
"""Whether it is `make day`, which plays it on Postgres too: the days do not differ."""
GRAIN = timedelta(seconds=float(os.environ.get("MONITOR_DAY_GRAIN", "15")))
LONGEST = float(os.environ.get("MONITOR_DAY_SECONDS", "inf"))
"""What a day may take, where somebody holds it to that: `make day`."""


@pytest.fixture(params=["sqlite", "postgresql"] if FULL else ["sqlite"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Return the URL of a fresh database with the newest schema."""
    postgres = request.param == "postgresql"
    url: str = request.getfixturevalue("postgres_url" if postgres else "sqlite_url")
    return url


@pytest.fixture
def day(tmp_path: Path, database_url: str) -> Day:
    """Live through 24 hours."""
    runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    with runner, structlog.testing.capture_logs():
        day = runner.run(play(tmp_path, database_url, grain=GRAIN))
    sys.stdout.write("\n".join(["", *day.lines(), ""]))
    return day


def test_a_day_is_told_as_it_was_shown_once_in_order_and_in_time(day: Day) -> None:
    assert day.account.wrong == []
    assert day.judge.untrue == []
    assert day.judge.too_late == []
    assert day.sources == ["source.failing", "source.recovered"] * 2
    assert day.violations == []
    assert day.received == day.account.events == sum(day.events.values())
    assert day.account.duplicates == 0
    assert day.seconds <= LONGEST
