"""The writer: commits poll results in groups, as soon as the database is free."""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

import structlog

from monitor.core.errors import DataRefusedError, PollError, SourceMovedError, StorageError
from monitor.core.failure import FailureKind
from monitor.core.observe import Observation
from monitor.core.source import FORBIDDEN_POLLS, HealthChange
from monitor.engine.delivering.relay import Relay
from monitor.engine.groups import GROUP, GroupLoop
from monitor.engine.loop import Loop
from monitor.engine.parts import Parts, Resources
from monitor.engine.writing.judgement import (
    AccountAnswer,
    Judgement,
    Observed,
    Result,
    judge_group,
    observe_result,
)
from monitor.engine.writing.poll_log import PollLog
from monitor.storage.batches.claim import count_watched
from monitor.storage.batches.record import RecordResult, record
from monitor.storage.sources import read_source

QUEUE: Final = 2000
COMPANY: Final = 0.1
"""Seconds that a result without events may wait for others."""

log = structlog.stdlib.get_logger()


class Writer:
    """Take results in, commit them in groups, hand on the deliveries that are born claimed."""

    def __init__(self, resources: Resources, parts: Parts, *, relay: Relay, polls: Loop) -> None:
        self._database, self._clock = resources.database, resources.clock
        self._metrics = resources.metrics
        self.loop = GroupLoop(
            "writer", clock=self._clock, company=COMPANY, waits=lambda: bool(self._queue)
        )
        self.routes = parts.routes
        self._relay = relay
        self._polls = polls
        """The poller's loop: it is to come round when a batch is due again."""
        self._poll_log = PollLog()
        self._queue: deque[Observed] = deque()
        self._commits = asyncio.Lock()

    @property
    def queued(self) -> int:
        """Return how many results wait."""
        return len(self._queue)

    @property
    def room(self) -> int:
        """Return how many more results fit."""
        return QUEUE - len(self._queue)

    def put(self, result: Result) -> None:
        """Take a result; one that carries events, or may, goes out at once with all that waits."""
        observed = observe_result(result)
        self._queue.append((result, observed))
        self.loop.bell.ring()
        silent = isinstance(observed, Observation) and not observed.events
        quiet = silent and result.source.health.clean
        if not quiet or len(self._queue) >= GROUP:
            self.loop.hurry()

    async def note(self, answer: AccountAnswer) -> None:
        """Commit what a request without a batch says of its account; raise StorageError."""
        source = answer.source
        if answer.failure is None and source.health.clean and source.blocked_until is None:
            source.answered_at = answer.at
            return
        await self._commit([], [answer])

    async def turn(self) -> None:
        """Commit the oldest results; while the database fails they wait, and polls with them."""
        size = min(GROUP, len(self._queue))
        try:
            await self._commit([*islice(self._queue, size)])
        except DataRefusedError:
            await self._commit_singly(size)
        except StorageError:
            raise
        except Exception:
            log.exception("poll.group_failed")
            await self._commit_singly(size)
        else:
            for _ in range(size):
                self._queue.popleft()
        if self._queue:  # behind a full group: it has waited
            self.loop.hurry()

    async def _commit_singly(self, size: int) -> None:
        """Find the culprit of a group: it is dropped, and polled again when its lease runs out."""
        for _ in range(size):
            self.loop.beat.note()
            try:
                await self._commit_alone(*self._queue[0])
            except StorageError:
                raise
            except Exception:
                log.exception("poll.dropped")
            self._queue.popleft()

    async def _commit_alone(self, result: Result, observed: Observation | PollError) -> None:
        """Commit one result; if its data is what the database refuses, it is a failed poll."""
        try:
            return await self._commit([(result, observed)])
        except DataRefusedError as error:
            self._log_refused(result, error)
        failure = PollError(FailureKind.INVALID_BODY)
        try:
            await self._commit([(replace(result, answer=failure), failure)])
        except DataRefusedError as error:  # its lease runs out, then it is polled again
            self._log_refused(result, error)

    def _log_refused(self, result: Result, error: DataRefusedError) -> None:
        log.warning(
            "poll.refused_by_database",
            source=result.source.name,
            batch=result.claim.watch.batch.id,
            reason=str(error),
        )

    async def _commit(
        self, group: Sequence[Observed], answers: Sequence[AccountAnswer] = ()
    ) -> None:
        async with self._commits:  # one at a time: the relay reserves room for one
            await self._judge_and_record(group, answers)

    async def _judge_and_record(
        self, group: Sequence[Observed], answers: Sequence[AccountAnswer]
    ) -> None:
        while True:
            self.loop.beat.note()
            judgement = judge_group(
                group,
                answers=answers,
                routes=self.routes,
                watched=await self._watched([*answers, *(result for result, _ in group)]),
                now=self._clock.now(),
            )
            sources = judgement.sources()
            try:
                recorded = await record(
                    self._database,
                    judgement.records,
                    sources=sources,
                    reservation=self._relay.reserve(judgement.receivers()),
                    now=self._clock.now(),
                )
            except SourceMovedError:
                for source, _ in judgement.standings.values():
                    source.adopt(await read_source(self._database, source.row))
                continue
            versions = {source.row: source.version + 1 for source in sources}
            self._take_over(group, judgement, recorded, versions)
            return

    async def _watched(self, group: Sequence[Result | AccountAnswer]) -> dict[int, int]:
        """Count the batches of the accounts with failed polls: one alone says less than several."""
        sources = {
            result.source.row: result.source.name for result in group if result.failure is not None
        }
        return {
            row: await count_watched(self._database, name, limit=FORBIDDEN_POLLS)
            for row, name in sources.items()
        }

    def _take_over(
        self,
        group: Sequence[Observed],
        judgement: Judgement,
        recorded: RecordResult,
        versions: Mapping[int, int],
    ) -> None:
        """Take the commit over into memory, the log and the relay.

        `versions` holds those of the sources that were written; a claim may have read them, or
        newer ones, from the database before we get here.
        """
        for row, (source, standing) in judgement.standings.items():
            source.answered_at = standing.answered_at
            if source.version < versions.get(row, 0):
                source.health = standing.health
                source.blocked_until = standing.blocked_until
                source.version = versions[row]
        self._relay.accept(recorded.reserved)
        self._count(judgement, recorded)
        next_polls = [item.next_poll_at for item in judgement.records if item.next_poll_at]
        if next_polls:
            self._polls.expect(min(next_polls))
        for (result, _), item in zip(group, judgement.records, strict=True):
            self._poll_log.polled(result, item.watch, item.next_poll_at)
        for source, standing in judgement.standings.values():
            if HealthChange.RECOVERED in standing.changes:
                self._poll_log.recovered(source)
            self._poll_log.remind(source, at=self._clock.now())

    def _count(self, judgement: Judgement, recorded: RecordResult) -> None:
        """Count the events that were stored, not those of batches claimed again meanwhile."""
        owed = [owed for _, standing in judgement.standings.values() for owed in standing.owed]
        for item in judgement.records:
            if item.owed and item.claim in recorded.claims:
                owed.extend(item.owed)
        for one in owed:
            self._metrics.events.labels(one.event.type.value).inc()
