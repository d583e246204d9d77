"""A stage: one account's batches on the real observation code, with the time in a test's hand."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from monitor.core.batch import Batch, Counts, Knowledge, Reading, Watch
from monitor.core.conditions import Limits
from monitor.core.errors import PollError
from monitor.core.event import Event
from monitor.core.failure import FailureKind
from monitor.core.observe import poll_time
from monitor.core.pacing import Pace, next_poll_at
from monitor.core.source import Source
from monitor.engine.source import SourceAtWork
from monitor.engine.writing.judgement import Result, judge_group, observe_result
from monitor.providers import bolna, vogent
from monitor.providers.calls import weigh
from monitor.providers.vogent_census import standing
from monitor.storage.batches.claim import Claim
from monitor.storage.batches.row import BATCH, KNOWN, MOVED, READ_COLUMNS, watch_of
from monitor.storage.sources import _HEALTH, _health_of

START: Final = datetime(2026, 1, 29, 8, 30, tzinfo=UTC)
MINUTE: Final = timedelta(minutes=1)
LIMITS: Final = Limits(stall_after=15 * MINUTE, overdue_after=15 * MINUTE, settle_after=15 * MINUTE)
PACE: Final = Pace(
    interval=MINUTE / 2,
    idle_interval=5 * MINUTE,
    settled_interval=60 * MINUTE,
    forget_after=1440 * MINUTE,
    limits=LIMITS,
)
LEASE: Final = timedelta(seconds=35)
NEVER: Final = timedelta(days=365)

Answer = Reading | PollError

FAULTS: Final[Mapping[str, PollError | bytes]] = {
    "400": PollError(FailureKind.REFUSED, 400),
    "401": PollError(FailureKind.UNAUTHORIZED, 401),
    "403": PollError(FailureKind.FORBIDDEN, 403),
    "404": PollError(FailureKind.NOT_FOUND, 404),
    "410": PollError(FailureKind.NOT_FOUND, 410),
    "418": PollError(FailureKind.UNEXPECTED_STATUS, 418),
    "422": PollError(FailureKind.REFUSED, 422),
    "429": PollError(FailureKind.RATE_LIMITED, 429),
    "500": PollError(FailureKind.SERVER_ERROR, 500),
    "503": PollError(FailureKind.SERVER_ERROR, 503),
    "timeout": PollError(FailureKind.TIMEOUT),
    "html": b"<!doctype html><title>502 Bad Gateway</title>",
    "empty": b"",
    "truncated": b'{"status": "comp',
}
"""What a failed poll meets; a 200 with an unusable body is left to the provider's own parser."""


def answer_of(
    provider: str,
    batch_id: str,
    document: Mapping[str, Any] | bytes,
    *,
    calls: Counts | None = None,
    counted: bool = True,
) -> Answer:
    """Parse a document as the provider's code does; a job's `calls` come from its lists."""
    parse = bolna.parse if provider == "bolna" else vogent.parse
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    try:
        reading = parse(body, batch_id)
    except PollError as error:
        return error
    if provider == "bolna":
        return reading
    if calls is None:
        return replace(reading, counted=counted)
    return replace(
        reading,
        counts=calls,
        least_contacts=sum(calls.values()),
        **weigh(calls, standing),
    )


@dataclass(slots=True, kw_only=True)
class Steady(SourceAtWork):
    """Plan polls without dice."""

    jitter: float = 0.0

    def next_poll_at(self, watch: Watch, at: datetime) -> datetime | None:
        """Return when a batch is due again."""
        return next_poll_at(watch, self.pace, at=at, jitter=self.jitter)


class Silent:
    """Stand in for a provider: here every answer is given by hand."""

    extra_requests = 0
    finder = None

    async def read(self, batch_id: str, known: Knowledge | None = None) -> Reading:
        """Never called."""
        raise NotImplementedError

    async def close(self) -> None:
        """Close nothing."""


class Stage:
    """Claim, judge and keep as poller and writer do, without a database.

    `batches` says of each whether the first complete round of discovery found it.
    """

    def __init__(
        self,
        batches: Mapping[str, bool],
        *,
        provider: str = "bolna",
        jitter: float = 0.0,
        start: datetime = START,
    ) -> None:
        self.now = start
        about = Source(row=1, name="prod", provider=provider, key="the source's key")
        self.source = Steady(about=about, provider=Silent(), pace=PACE, rate=1000.0, jitter=jitter)
        self.watches = {
            row: Watch(
                batch=Batch(row=row, source="prod", id=name, key=f"key {row}", found_first=first)
            )
            for row, (name, first) in enumerate(batches.items())
        }
        self.due: dict[int, datetime | None] = dict.fromkeys(self.watches, start)

    @property
    def watched(self) -> int:
        """Count the batches that are polled, up to 3."""
        return min(3, sum(due is not None for due in self.due.values()))

    @property
    def next_at(self) -> datetime | None:
        """Return when there is something to poll."""
        due_at = min((due for due in self.due.values() if due), default=None)
        if self.source.blocked_until is not None and due_at is not None:
            return self.source.blocked_until
        return due_at

    def claim(self) -> list[Claim]:
        """Claim what is due now: of a blocked source the batch polled longest ago."""
        if self.source.blocked_until is None:
            return [self.claim_one(row) for row, due in self.due.items() if due and due <= self.now]
        if self.now < self.source.blocked_until:
            return []
        polled = [row for row, due in self.due.items() if due is not None]
        oldest = min(polled, key=lambda row: self.watches[row].last_poll_at or START - LEASE)
        return [self.claim_one(oldest, probe=True)]

    def claim_one(self, row: int, *, probe: bool = False) -> Claim:
        """Claim a batch; a probed source stays blocked meanwhile."""
        if probe:
            self.source.blocked_until = self.now + LEASE
        return Claim(
            watch=self.watches[row],
            epoch=1,
            due_at=self.now,
            lease_until=self.now + NEVER,  # nobody is paused here beyond a lease
            probe=probe,
        )

    def commit(
        self, answers: Sequence[tuple[Claim, Answer]], *, apart: timedelta = timedelta()
    ) -> list[Event]:
        """Fold a group of answers and take it over, as the writer does; return its events."""
        results = []
        for claim, answer in answers:
            results.append(self._result(claim, answer))
            self.now += apart
        judgement = judge_group(
            [(r, observe_result(r)) for r in results],
            routes=(),
            watched={1: self.watched},
            now=self.now,
        )
        events = []
        for source, stands in judgement.standings.values():
            source.health, source.blocked_until = stands.health, stands.blocked_until
            source.answered_at = stands.answered_at
            events += [owed.event for owed in stands.owed]
        for record in judgement.records:
            row = record.watch.batch.row
            self.watches[row], self.due[row] = record.watch, record.next_poll_at
            events += [owed.event for owed in record.owed]
        return events

    def restart(self) -> None:
        """Go on as another process does, with nothing but what the database holds."""
        self.watches = {row: stored(watch) for row, watch in self.watches.items()}
        self.source.health = _health_of(_HEALTH.dump_json(self.source.health))
        self.source.answered_at = None

    def _result(self, claim: Claim, answer: Answer) -> Result:
        return Result(
            source=self.source,
            claim=claim,
            at=poll_time(claim.watch, self.now),
            answer=answer,
        )


def stored(watch: Watch) -> Watch:
    """Return a watch as another process reads it from the database."""
    row = BATCH.dump(watch.batch) | {"labels": "{}"} | MOVED.dump(watch)
    row |= {"snapshots": watch.snapshots, **(KNOWN.dump(watch.known) if watch.known else {})}
    return watch_of([row.get(name.strip()) for name in READ_COLUMNS.split(",")])
