"""One watched batch that meets a hostile answer."""

import json
from datetime import UTC, datetime, timedelta

from monitor.core.batch import Batch, Reading, Watch
from monitor.core.conditions import Limits
from monitor.core.errors import PollError
from monitor.core.observe import Observation, observe
from monitor.core.source import Health, Source
from monitor.core.unreachable import observe_failure
from monitor.storage.batches.row import KNOWN
from tests.hostile.cases import Api

CPU_SECONDS = 0.05
"""What one answer may cost at most, the median of three."""
INTERVAL = timedelta(seconds=30)
START = datetime(2026, 1, 29, 8, 30, tzinfo=UTC)
SOURCE = Source(row=1, name="account", provider="any", key="the source's key")
LIMITS = Limits(
    stall_after=timedelta(minutes=15),
    overdue_after=timedelta(minutes=15),
    settle_after=timedelta(minutes=15),
)


def watched(api: Api) -> Watch:
    """Return a batch that was read once, in health."""
    watch = Watch(batch=Batch(row=1, source="account", id=api.batch_id, key="the batch's key"))
    return take(watch, api.parse(api.baseline, api.batch_id)).watch


def meet(watch: Watch, api: Api, body: bytes) -> Observation:
    """Poll once more, with this answer; lay out what would be stored and sent."""
    try:
        reading = api.parse(body, api.batch_id)
    except PollError as error:
        return refuse(watch, error)
    return take(watch, reading)


def take(watch: Watch, reading: Reading) -> Observation:
    """Observe a reading, and lay out what would be stored and sent."""
    observation = observe(
        watch, reading, source=SOURCE, interval=INTERVAL, limits=LIMITS, at=_next(watch)
    )
    assert observation.watch.known is not None
    json.dumps(KNOWN.dump(observation.watch.known), ensure_ascii=False).encode()
    assert all(len(event.body) < 64 * 1024 for event in observation.events)
    return observation


def refuse(watch: Watch, error: PollError) -> Observation:
    """Observe a failed poll of an account that answers others."""
    at = _next(watch)
    return observe_failure(watch, error, source=SOURCE, health=Health(), answered_at=at, at=at)


def _next(watch: Watch) -> datetime:
    return START if watch.last_poll_at is None else watch.last_poll_at + INTERVAL
