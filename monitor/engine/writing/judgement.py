"""Judgement: what a group of poll results amounts to, for one commit to write."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from monitor.core.batch import Reading, Watch
from monitor.core.errors import PollError
from monitor.core.event import Event, EventType, compose
from monitor.core.failure import FailureKind
from monitor.core.observe import Observation, observe
from monitor.core.pause import blocked_until, time_asked
from monitor.core.payload import failure_data, source_data, source_subject
from monitor.core.routing import Route, receivers_of
from monitor.core.source import Health, HealthChange, Poll, Source, is_answer, judge
from monitor.core.unreachable import observe_failure
from monitor.core.value import value
from monitor.engine.source import SourceAtWork
from monitor.storage.batches.claim import Claim
from monitor.storage.batches.record import BatchRecord
from monitor.storage.deliveries.outbox import RoutedEvent
from monitor.storage.sources import SourceRecord


@value
class Result:
    """What one poll brought: a reading, or why there is none."""

    source: SourceAtWork
    claim: Claim
    at: datetime
    answer: Reading | PollError

    @property
    def failure(self) -> PollError | None:
        """Return why there is no reading, if there is none."""
        return self.answer if isinstance(self.answer, PollError) else None


Observed = tuple[Result, Observation | PollError]
"""A result, and what was observed in its reading; a failure waits for its account's judgement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountAnswer:
    """What a request that reads no batch says of its account."""

    source: SourceAtWork
    at: datetime
    failure: PollError | None = None
    probe: bool = False


@dataclass(slots=True, kw_only=True)
class Standing:
    """An account's health while a group is judged."""

    health: Health
    blocked_until: datetime | None
    answered_at: datetime | None
    owed: list[RoutedEvent] = field(default_factory=list)
    changes: list[HealthChange] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Judgement:
    """What a group of results amounts to."""

    records: list[BatchRecord] = field(default_factory=list)
    standings: dict[int, tuple[SourceAtWork, Standing]] = field(default_factory=dict)

    def standing(self, source: SourceAtWork) -> Standing:
        """Return an account's standing so far."""
        row = source.row
        if row not in self.standings:
            standing = Standing(
                health=source.health,
                blocked_until=source.blocked_until,
                answered_at=source.answered_at,
            )
            self.standings[row] = (source, standing)
        return self.standings[row][1]

    def receivers(self) -> list[str]:
        """Return whom the events go to, always in the same order: a day can be played again."""
        owed = [owed for _, standing in self.standings.values() for owed in standing.owed]
        owed += [owed for item in self.records for owed in item.owed]
        return sorted({receiver for one in owed for receiver in one.receivers})

    def sources(self) -> list[SourceRecord]:
        """Return the sources whose health or pause has moved."""
        return [
            SourceRecord(
                row=row,
                version=source.version,
                health=standing.health,
                blocked_until=standing.blocked_until,
                owed=tuple(standing.owed),
            )
            for row, (source, standing) in self.standings.items()
            if standing.health != source.health or standing.blocked_until != source.blocked_until
        ]


def observe_result(result: Result) -> Observation | PollError:
    """Observe a reading, which depends on nothing but its batch; return a failure as it is."""
    source, answer = result.source, result.answer
    if isinstance(answer, PollError):
        return answer
    return observe(
        result.claim.watch,
        answer,
        source=source.about,
        interval=source.pace.interval,
        limits=source.pace.limits,
        at=result.at,
    )


def judge_group(
    results: Sequence[Observed],
    *,
    answers: Sequence[AccountAnswer] = (),
    routes: Sequence[Route],
    watched: Mapping[int, int],
    now: datetime,
) -> Judgement:
    """Judge results in the order in which they came; the next polls are planned from `now`.

    Readings come already observed; a failure is judged by its account's health at its place in
    the order. `watched` counts the polled batches of the sources with failed polls, up to 3.
    """
    judgement = Judgement()
    for answer in answers:
        number = watched.get(answer.source.row, 0) + 1  # the lists are one more to be asked
        standing = judgement.standing(answer.source)
        poll = _poll(answer.failure, None, probe=answer.probe)
        _weigh(answer, poll, standing, routes=routes, watched=number)
    for result, observed in results:
        standing = judgement.standing(result.source)
        number = watched.get(result.source.row, 0)
        if now < result.claim.lease_until:  # else others have polled since: we were paused
            _judge(result, standing, routes=routes, watched=number)
        if isinstance(observed, PollError):
            observed = _observe_failure(result, observed, standing)
        judgement.records.append(_record(result, observed, routes, now=now))
    return judgement


def _judge(result: Result, standing: Standing, *, routes: Sequence[Route], watched: int) -> None:
    failure, watch = result.failure, result.claim.watch
    if failure is None and standing.health.clean and standing.blocked_until is None:
        standing.answered_at = result.at  # nearly all
        return
    poll = _poll(failure, watch, probe=result.claim.probe)
    _weigh(result, poll, standing, routes=routes, watched=watched)


def _poll(failure: PollError | None, watch: Watch | None, *, probe: bool) -> Poll:
    """Return what a request says of its account; without a watch it read no batch that there is."""
    return Poll(
        batch_row=watch.batch.row if watch else 0,
        kind=failure.kind if failure else None,
        status_code=failure.status_code if failure else None,
        under_way=not probe,
        unreachable=watch is not None and watch.failures.unreachable_since is not None,
        put_off=_put_off_for(failure) is not None,
    )


def _weigh(
    result: Result | AccountAnswer,
    poll: Poll,
    standing: Standing,
    *,
    routes: Sequence[Route],
    watched: int,
) -> None:
    if is_answer(poll.kind):
        standing.answered_at = result.at
    before = standing.health
    standing.health, change = judge(before, poll, watched=watched, at=result.at)
    standing.blocked_until = blocked_until(
        standing.blocked_until,
        health=standing.health,
        change=change,
        failure=result.failure,
        probe=not poll.under_way,
        at=result.at,
    )
    if change is not None:
        standing.health = replace(standing.health, sequence=before.sequence + 1)
        _report_change(result, standing, change, routes, before=before)


def _report_change(
    result: Result | AccountAnswer,
    standing: Standing,
    change: HealthChange,
    routes: Sequence[Route],
    *,
    before: Health,
) -> None:
    """Add the event that the account fails, or that it does no longer: then of what had failed."""
    failing = change is HealthChange.FAILING
    event = source_event(
        EventType.SOURCE_FAILING if failing else EventType.SOURCE_RECOVERED,
        result.source.about,
        sequence=standing.health.sequence,
        why=standing.health if failing else before,
        at=result.at,
    )
    standing.owed.append(RoutedEvent(event=event, receivers=receivers_of(event.facts, routes)))
    standing.changes.append(change)


def source_event(
    kind: EventType, source: Source, *, sequence: int, why: Health, at: datetime, **more: object
) -> Event:
    """Compose an event of a source; `why` is its health while it failed."""
    return compose(
        kind,
        source_subject(source),
        sequence=sequence,
        at=at,
        data={
            **source_data(source),
            **failure_data(why.kind, why.status_code, why.failing_since),
            **more,
        },
    )


def _observe_failure(result: Result, failure: PollError, standing: Standing) -> Observation:
    return observe_failure(
        result.claim.watch,
        failure,
        source=result.source.about,
        health=standing.health,
        answered_at=standing.answered_at,
        at=result.at,
    )


def _record(
    result: Result, observation: Observation, routes: Sequence[Route], *, now: datetime
) -> BatchRecord:
    watch = observation.watch
    polled_at = min(result.at, now)  # a reading is never before the last: `at` may be ahead of us
    return BatchRecord(
        watch=watch,
        epoch=result.claim.epoch,
        next_poll_at=_next_poll_at(result, watch, polled_at),
        learned=watch.known is not result.claim.watch.known,
        snapshot=observation.snapshot,
        owed=tuple(
            RoutedEvent(event=event, receivers=receivers_of(event.facts, routes))
            for event in observation.events
        ),
    )


def _next_poll_at(result: Result, watch: Watch, polled_at: datetime) -> datetime | None:
    """Return when the batch is due again: not before the time that a 5xx asked to be left alone."""
    due_at, asked = result.source.next_poll_at(watch, polled_at), _put_off_for(result.failure)
    return due_at if due_at is None or asked is None else max(due_at, polled_at + asked)


def _put_off_for(failure: PollError | None) -> timedelta | None:
    """Return for how long a 5xx asks to be left alone; a 429 concerns the account, not a batch."""
    asks = failure is not None and failure.kind is FailureKind.SERVER_ERROR
    return time_asked(failure.retry_after) if failure is not None and asks else None
