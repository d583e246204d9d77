"""One batch as the daemon watches it, played poll by poll."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from monitor.core.batch import Batch, Counts, Knowledge, Outcome, Phase, Reading, Watch
from monitor.core.conditions import Limits
from monitor.core.errors import PollError
from monitor.core.event import Event
from monitor.core.failure import FailureKind
from monitor.core.observe import Observation, Snapshot, observe, poll_time
from monitor.core.source import Health, Source
from monitor.core.unreachable import observe_failure

INTERVAL = timedelta(seconds=30)
LIMITS = Limits(
    stall_after=timedelta(minutes=15),
    overdue_after=timedelta(minutes=15),
    settle_after=timedelta(minutes=15),
)
START = datetime(2026, 1, 29, 8, 30, tzinfo=UTC)

STATUSES: Mapping[str, tuple[Phase, Outcome | None]] = {
    "queued": (Phase.PENDING, None),
    "running": (Phase.RUNNING, None),
    "executed": (Phase.ENDED, Outcome.COMPLETED),
    "completed": (Phase.ENDED, Outcome.COMPLETED),
    "failed": (Phase.ENDED, Outcome.FAILED),
    "stopped": (Phase.ENDED, Outcome.CANCELLED),
    "INIT": (Phase.PENDING, None),
    "ACTIVE": (Phase.RUNNING, None),
    "PAUSED": (Phase.PAUSED, None),
    "COMPLETE": (Phase.ENDED, Outcome.COMPLETED),
    "CANCELLED": (Phase.ENDED, Outcome.CANCELLED),
}
"""The contract's table, as far as tests use it; any other word is unknown."""

OPEN = frozenset({"ringing", "queued", "in-progress", "rescheduled"})
LIVE = frozenset({"ringing", "in-progress"})


def _reading(status: str = "running", counts: Counts | None = None, **fields: Any) -> Reading:
    phase, outcome = STATUSES.get(status, (Phase.UNKNOWN, None))
    given: dict[str, Any] = {"phase": phase, "outcome": outcome, "counts": counts}
    given |= {"open_calls": _sum(counts, OPEN), "live_calls": _sum(counts, LIVE)}
    return Reading(status=status, **(given | fields))


def _sum(counts: Counts | None, words: frozenset[str]) -> int:
    return sum(number for word, number in (counts or {}).items() if word in words)


def _known(**fields: Any) -> Knowledge:
    given: dict[str, Any] = {
        "status": "running",
        "phase": Phase.RUNNING,
        "outcome": None,
        "counts": None,
        "open_calls": 0,
        "total_contacts": None,
        "valid_contacts": None,
        "name": None,
        "scheduled_at": None,
        "changed_at": START,
        "phase_since": START,
        "started_at": START,
    }
    return Knowledge(**(given | fields))


def _source(**fields: Any) -> Source:
    given: dict[str, Any] = {
        "row": 1,
        "name": "bolna-prod",
        "provider": "bolna",
        "key": "the source's key",
    }
    return Source(**(given | fields))


def _batch(**fields: Any) -> Batch:
    given: dict[str, Any] = {
        "row": 7,
        "source": "bolna-prod",
        "id": "3c90c3cc0d444b5088888dd25736052a",
        "key": "the batch's key",
    }
    return Batch(**(given | fields))


@dataclass(slots=True, kw_only=True)
class Life:
    """Play polls of one batch, by default an interval apart; keep all that they yield."""

    batch: Batch = field(default_factory=_batch)
    source: Source = field(default_factory=_source)
    interval: timedelta = INTERVAL
    limits: Limits = LIMITS
    now: datetime = START - INTERVAL
    watch: Watch = field(init=False)
    events: list[Event] = field(init=False, default_factory=list)
    snapshots: list[Snapshot] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.watch = Watch(batch=self.batch)

    def reads(
        self,
        status: str = "running",
        counts: Counts | None = None,
        *,
        after: timedelta = INTERVAL,
        **fields: Any,
    ) -> list[str]:
        """Poll with success; return the types of the events."""
        return self.takes(_reading(status, counts, **fields), after=after)

    def takes(self, reading: Reading, *, after: timedelta = INTERVAL) -> list[str]:
        at = self._poll(after)
        return self._keep(
            observe(
                self.watch,
                reading,
                source=self.source,
                interval=self.interval,
                limits=self.limits,
                at=at,
            )
        )

    def fails(
        self,
        kind: FailureKind = FailureKind.SERVER_ERROR,
        status_code: int | None = None,
        *,
        after: timedelta = INTERVAL,
        health: Health | None = None,
        answered: bool = True,
        answered_at: datetime | None = None,
    ) -> list[str]:
        """Poll in vain; the account answered another poll just now, never, or at a time."""
        at = self._poll(after)
        observation = observe_failure(
            self.watch,
            PollError(kind, status_code),
            source=self.source,
            health=health or Health(),
            answered_at=answered_at or (at if answered else None),
            at=at,
        )
        return self._keep(observation)

    @property
    def known(self) -> Knowledge:
        """Return what the readings taught."""
        assert self.watch.known is not None
        return self.watch.known

    @property
    def settled(self) -> bool:
        """Tell whether the batch is settled."""
        return self.known.settled_at is not None

    def document(self, event_type: str) -> dict[str, Any]:
        """Return the body of the newest event of a type, as a consumer decodes it."""
        found = [event for event in self.events if event.type == event_type]
        document: dict[str, Any] = json.loads(found[-1].body)
        return document

    def data(self, event_type: str) -> dict[str, Any]:
        """Return the `data` of the newest event of a type."""
        data: dict[str, Any] = self.document(event_type)["data"]
        return data

    def _poll(self, after: timedelta) -> datetime:
        self.now += after
        return poll_time(self.watch, self.now)

    def _keep(self, observation: Observation) -> list[str]:
        self.watch = observation.watch
        self.events += observation.events
        self.snapshots += [observation.snapshot] if observation.snapshot else []
        return [event.type.value for event in observation.events]


@pytest.fixture
def life() -> Life:
    """Watch an added batch that was never read."""
    return Life()


@pytest.fixture(scope="session")
def new_life() -> Callable[..., Life]:
    """Watch a batch that was never read; fields override."""
    return Life


@pytest.fixture(scope="session")
def reading() -> Callable[..., Reading]:
    """Make a reading from a provider's words; fields override."""
    return _reading


@pytest.fixture(scope="session")
def known() -> Callable[..., Knowledge]:
    """Make what is known of a running batch; fields override."""
    return _known


@pytest.fixture(scope="session")
def source() -> Callable[..., Source]:
    """Make a source; fields override."""
    return _source


@pytest.fixture(scope="session")
def batch() -> Callable[..., Batch]:
    """Make a registered batch; fields override."""
    return _batch
