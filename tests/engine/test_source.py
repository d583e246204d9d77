from datetime import UTC, datetime, timedelta

import pytest

from monitor.core.batch import Batch, Knowledge, Reading, Watch
from monitor.core.conditions import Limits
from monitor.core.errors import PollError
from monitor.core.failure import FailureKind
from monitor.core.pacing import Pace
from monitor.core.source import Health, Source
from monitor.engine.source import SourceAtWork
from monitor.storage.sources import SourceRow

NOW = datetime(2026, 1, 29, 8, 30, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
FREE = None
WELL = Health()
UNWELL = Health(failing_since=NOW - HOUR)
SERVER_ERROR = PollError(FailureKind.SERVER_ERROR, 500)


class Silent:
    """Stand in for a provider that nobody asks."""

    extra_requests = 0
    finder = None

    async def read(self, batch_id: str, known: Knowledge | None = None) -> Reading:
        raise NotImplementedError

    async def close(self) -> None: ...


@pytest.fixture
def source() -> SourceAtWork:
    pace = Pace(
        interval=30 * SECOND,
        idle_interval=5 * MINUTE,
        settled_interval=HOUR,
        forget_after=HOUR,
        limits=Limits(stall_after=HOUR, overdue_after=HOUR, settle_after=HOUR),
    )
    about = Source(row=1, name="bolna-prod", provider="bolna", key="key")
    return SourceAtWork(about=about, provider=Silent(), pace=pace, rate=10.0)


def row(version: int) -> SourceRow:
    return SourceRow(
        row=1,
        name="bolna-prod",
        provider="bolna",
        key="key",
        health=UNWELL,
        version=version,
        blocked_until=NOW,
        tokens=0.0,
        tokens_at=NOW,
    )


def test_an_account_takes_over_what_another_daemon_moved(source: SourceAtWork) -> None:
    source.version = 3

    source.adopt(row(4))

    assert (source.health, source.version, source.blocked_until) == (UNWELL, 4, NOW)


def test_an_account_keeps_what_it_knows_better(source: SourceAtWork) -> None:
    source.version = 3

    source.adopt(row(2))

    assert (source.health, source.version, source.blocked_until) == (WELL, 3, FREE)


def test_a_pause_is_told_by_how_long_it_lasts(source: SourceAtWork) -> None:
    lasts = []
    for until in (None, NOW - SECOND, NOW + MINUTE):
        source.blocked_until = until
        lasts.append(source.paused_for(NOW))

    assert lasts == [timedelta(), timedelta(), MINUTE]


def test_requests_made_besides_are_taken_once(source: SourceAtWork) -> None:
    source.provider.extra_requests = 3

    assert [source.take_extra(), source.take_extra()] == [3, 0]


def test_a_batch_is_due_again_after_its_interval_spread_by_a_tenth(source: SourceAtWork) -> None:
    watch = Watch(batch=Batch(row=1, source="bolna-prod", id="b1", key="key"))

    found = {source.next_poll_at(watch, NOW) for _ in range(200)}

    waits = [due - NOW for due in found if due is not None]
    assert len(found) == len(waits) > 100
    assert 27 * SECOND <= min(waits) < 28 * SECOND
    assert 32 * SECOND < max(waits) <= 33 * SECOND
