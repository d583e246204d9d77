"""Two accounts, some batches and what the engine tells of them: every event there is, for real."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

from monitor.core.batch import Batch, Knowledge, Reading, Watch
from monitor.core.conditions import Limits
from monitor.core.errors import PollError
from monitor.core.event import Document, Event, EventType, compose
from monitor.core.failure import FailureKind
from monitor.core.observe import poll_time
from monitor.core.pacing import Pace
from monitor.core.payload import receiver_data, receiver_subject
from monitor.core.source import Source
from monitor.engine.source import SourceAtWork
from monitor.engine.writing.judgement import Result, judge_group, observe_result
from monitor.providers import bolna, vogent
from monitor.storage.batches.claim import Claim

START: Final = datetime(2026, 1, 29, 8, 30, 2, 114000, tzinfo=UTC)
INTERVAL: Final = timedelta(seconds=30)
CUSTOMERS: Final = "3c90c3cc0d444b5088888dd25736052a"
REMINDERS: Final = "7d1fa0b27c8e4f6b9a3c5e2d4f60718a"
LEADS: Final = "b41a52c07f9d4e358d26c1e0aa97f354"
RENEWALS: Final = "e09c7f1a6b5d4c328f1e2d3c4b5a6978"
PILOT: Final = "8c6be1f0-3d5a-4f0e-9a53-51b1f6f3c2d7"

_PARSE: Final = {"bolna": bolna.parse, "vogent": vogent.parse}
_PACE: Final = Pace(
    interval=INTERVAL,
    idle_interval=timedelta(minutes=5),
    settled_interval=timedelta(hours=1),
    forget_after=timedelta(days=1),
    limits=Limits(
        stall_after=timedelta(minutes=15),
        overdue_after=timedelta(minutes=15),
        settle_after=timedelta(minutes=15),
    ),
)


class _NoProvider:
    """Stand in for an account's API: here each answer is given by hand."""

    extra_requests = 0
    finder = None

    async def read(self, batch_id: str, known: Knowledge | None = None) -> Reading:
        raise NotImplementedError(batch_id)

    async def close(self) -> None: ...


@dataclass(slots=True, kw_only=True)
class Play:
    """Play polls of one account one after the other; keep all events."""

    source: SourceAtWork
    watches: dict[str, Watch] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    now: datetime = START - INTERVAL

    def answers(self, batch_id: str, document: Mapping[str, Any], *, minutes: float = 0.5) -> None:
        """Let the provider answer one poll with a document of its own."""
        reading = _PARSE[self.source.about.provider](json.dumps(document).encode(), batch_id)
        self._poll(batch_id, reading, minutes)

    def refuses(
        self, batch_id: str, kind: FailureKind, status_code: int, *, minutes: float = 0.5
    ) -> None:
        """Let one poll fail."""
        self._poll(batch_id, PollError(kind, status_code), minutes)

    def _poll(self, batch_id: str, brought: Reading | PollError, minutes: float) -> None:
        self.now += timedelta(minutes=minutes)
        watch = self.watches[batch_id]
        result = Result(
            source=self.source,
            claim=Claim(
                watch=watch,
                epoch=1,
                due_at=self.now,
                lease_until=self.now + timedelta(minutes=1),
                probe=True,
            ),
            at=poll_time(watch, self.now),
            answer=brought,
        )
        judgement = judge_group(
            [(result, observe_result(result))],
            routes=(),
            watched={1: len(self.watches)},
            now=self.now,
        )
        _, standing = judgement.standings[1]
        self.source.health = standing.health
        self.source.answered_at = standing.answered_at
        self.watches[batch_id] = judgement.records[0].watch
        self.events += [owed.event for owed in standing.owed]
        self.events += [owed.event for owed in judgement.records[0].owed]


@cache
def told() -> dict[EventType, Document]:
    """Return one event of each type, the first that comes; moving calls with their pace."""
    first: dict[EventType, Document] = {}
    for event in (*_play_bolna(), *_play_vogent(), _test()):
        document = json.loads(event.body)
        if event.type is not EventType.COUNTS_CHANGED or document["data"]["forecast"]:
            first.setdefault(event.type, document)
    return first


def _play_bolna() -> list[Event]:
    labels = {"team": "collections"}
    play = _play(
        "bolna-prod", "bolna", {CUSTOMERS: labels, REMINDERS: labels, LEADS: {}, RENEWALS: {}}
    )
    _live_through(play)
    _end_badly(play)
    _get_lost(play)
    _stand_still(play)
    return play.events


def _live_through(play: Play) -> None:
    """Dial seven customers; the status is final before the last calls are."""

    def poll(status: str, **calls: int) -> None:
        play.answers(CUSTOMERS, _bolna("customers.csv", status, calls, total=11, valid=7))

    poll("queued")
    poll("queued", ringing=7)
    for _ in range(24):
        poll("executed", completed=5, ringing=2)
    poll("executed", completed=6, **{"no-answer": 1})
    play.now += timedelta(hours=2)
    poll("executed", completed=6, rescheduled=1)


def _end_badly(play: Play) -> None:
    for status, calls in (
        ("scheduled", {}),
        ("verifying", {}),
        ("failed", {"failed": 118, "completed": 2}),
    ):
        document = _bolna("reminders.csv", status, calls, total=120, valid=120)
        play.answers(REMINDERS, document | {"scheduled_at": "2026-01-29T10:40:00Z"})


def _get_lost(play: Play) -> None:
    leads = _bolna("leads.csv", "running", {"completed": 212, "in-progress": 8}, 400, 394)
    play.answers(LEADS, leads)
    for _ in range(5):
        play.refuses(LEADS, FailureKind.NOT_FOUND, 404)
    leads = _bolna("leads.csv", "running", {"completed": 371, "in-progress": 8}, 400, 394)
    play.answers(LEADS, leads, minutes=34)


def _stand_still(play: Play) -> None:
    """Start late, dial for a while, stand still for too long, and dial on."""
    start = datetime(2026, 1, 29, 12, 0, tzinfo=UTC)
    play.now = start + timedelta(milliseconds=114) - INTERVAL

    def poll(status: str, *, minutes: float = 0.5, **calls: int) -> None:
        document = _bolna("renewals.csv", status, calls, total=250, valid=240)
        scheduled = {"scheduled_at": start.isoformat()}
        play.answers(RENEWALS, document | scheduled, minutes=minutes)

    poll("scheduled")
    poll("scheduled", minutes=15)
    for minute in range(6):
        finished = 25 * minute
        poll("running", minutes=1, completed=finished, **{"in-progress": 8}, queued=232 - finished)
    poll("running", minutes=15, completed=125, **{"in-progress": 8}, queued=107)
    poll("running", minutes=6, completed=128, **{"in-progress": 8}, queued=104)


def _play_vogent() -> list[Event]:
    play = _play("vogent", "vogent", {PILOT: {}})
    job = {"id": PILOT, "name": "Pilot west"}
    play.answers(PILOT, job | {"status": "ACTIVE"})
    play.refuses(PILOT, FailureKind.UNAUTHORIZED, 401)
    play.answers(PILOT, job | {"status": "ACTIVE"}, minutes=12)
    play.answers(PILOT, job | {"status": "CANCELLED"})
    play.answers(PILOT, job | {"status": "CANCELLED"})
    return play.events


def _test() -> Event:
    subject = receiver_subject(1, "ops", "the receiver's key")
    data = receiver_data("ops", "slack")
    return compose(EventType.TEST, subject, sequence=1, at=START, data=data)


def _play(name: str, provider: str, batches: Mapping[str, Mapping[str, str]]) -> Play:
    about = Source(
        row=1, name=name, provider=provider, key=f"the key of {name}", labels={"env": "prod"}
    )
    watches = {
        batch_id: Watch(
            batch=Batch(row=row, source=name, id=batch_id, key=f"key {row}", labels=labels)
        )
        for row, (batch_id, labels) in enumerate(batches.items(), start=1)
    }
    source = SourceAtWork(about=about, provider=_NoProvider(), pace=_PACE, rate=1.0)
    return Play(source=source, watches=watches)


def _bolna(
    name: str, status: str, calls: Mapping[str, int], total: int, valid: int
) -> dict[str, Any]:
    return {
        "file_name": name,
        "status": status,
        "execution_status": dict(calls) or None,
        "total_contacts": total,
        "valid_contacts": valid,
        "scheduled_at": "2026-01-29T08:30:00Z",
    }
