"""The writer: commits poll results in groups, as soon as the database is free."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import structlog

from monitor.core.delivery import Delivery
from monitor.core.errors import (
    DataRefusedError,
    FailureKind,
    PollError,
    SourceMovedError,
    StorageError,
)
from monitor.core.observe import Observation
from monitor.core.routing import Route
from monitor.core.source import FORBIDDEN_POLLS, Turn
from monitor.engine.beat import Beat
from monitor.engine.bell import Bell
from monitor.engine.clock import Clock
from monitor.engine.judgement import (
    AccountAnswer,
    Judgement,
    Observed,
    Result,
    judge_group,
    observe_result,
)
from monitor.engine.metrics import Metrics
from monitor.engine.outage import Outage
from monitor.engine.poll_log import PollLog
from monitor.storage.batches.claim import count_watched
from monitor.storage.batches.record import RecordResult, record
from monitor.storage.database import Database
from monitor.storage.deliveries.outbox import Birth
from monitor.storage.sources import read_source

TURN: Final = 1.0
"""Seconds after which the loop comes round by itself."""
GROUP: Final = 500
QUEUE: Final = 2000
COMPANY: Final = 0.1
"""Seconds that a result without events may wait for others."""
RETRY: Final = 1.0
"""Seconds between tries while the database fails."""

log = structlog.stdlib.get_logger()


class Writer:
    """Take results in, commit them in groups, hand on the deliveries that are born claimed."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        routes: Sequence[Route],
        promise: Callable[[Iterable[str]], Birth],
        poll_log: PollLog,
        metrics: Metrics,
        hand_over: Callable[[Sequence[Delivery]], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self.routes = routes
        self._promise = promise
        self._poll_log = poll_log
        self._metrics = metrics
        self._hand_over = hand_over
        self.outage = Outage("writer")
        self.on_scheduled: Callable[[datetime], None] = _nothing
        """Called with the time at which the first of the committed batches is due again."""
        self._queue: deque[Observed] = deque()
        self._arrived = Bell()
        self._urgent = Bell()
        self._closing = False
        self._commits = asyncio.Lock()
        self.beat = Beat(every=TURN)

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
        self._arrived.ring()
        silent = isinstance(observed, Observation) and not observed.events
        quiet = silent and result.source.health.clean
        if not quiet or len(self._queue) >= GROUP:
            self._urgent.ring()

    async def note(self, answer: AccountAnswer) -> None:
        """Commit what a request without a batch says of its account; raise StorageError."""
        source = answer.source
        if answer.failure is None and source.health.clean and source.blocked_until is None:
            source.answered_at = answer.at
            return
        await self._commit([], [answer])

    async def run(self) -> None:
        """Commit until closed and empty."""
        while not (self._closing and not self._queue):
            self.beat.turn()
            await self._arrived.wait(TURN)
            if self._queue:
                await self._urgent.wait(COMPANY)
                await self._commit_some()

    def close(self) -> None:
        """Let `run` end once all that was taken in is committed."""
        self._closing = True
        self.wake()

    def wake(self) -> None:
        """Let all that was taken in go out at once."""
        self._arrived.ring()
        self._urgent.ring()

    async def _commit_some(self) -> None:
        """Commit the oldest results; while the database fails they wait, and polls with them."""
        try:
            await self._commit_group(min(GROUP, len(self._queue)))
        except StorageError as error:
            self.outage.began(error, at=self._clock.now())
            self.wake()
            await asyncio.sleep(RETRY)
            return
        self.outage.ended()
        if self._queue:
            self.wake()

    async def _commit_group(self, size: int) -> None:
        try:
            await self._commit([self._queue[n] for n in range(size)])
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

    async def _commit_singly(self, size: int) -> None:
        """Find the culprit of a group: it is dropped, and polled again when its lease runs out."""
        for _ in range(size):
            self.beat.turn()
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
            self._tell_refused(result, error)
        failure = PollError(FailureKind.INVALID_BODY)
        try:
            await self._commit([(replace(result, answer=failure), failure)])
        except DataRefusedError as error:  # its lease runs out, then it is polled again
            self._tell_refused(result, error)

    def _tell_refused(self, result: Result, error: DataRefusedError) -> None:
        log.warning(
            "poll.refused_by_database",
            source=result.source.name,
            batch=result.claim.watch.batch.id,
            reason=str(error),
        )

    async def _commit(
        self,
        group: Sequence[Observed],
        answers: Sequence[AccountAnswer] = (),
    ) -> None:
        async with self._commits:  # one at a time: the relay's promise of room is for one
            await self._judge_and_record(group, answers)

    async def _judge_and_record(
        self, group: Sequence[Observed], answers: Sequence[AccountAnswer]
    ) -> None:
        while True:
            self.beat.turn()
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
                    birth=self._promise(judgement.receivers()),
                    now=self._clock.now(),
                )
            except SourceMovedError:
                for source, _ in judgement.standings.values():
                    source.adopt(await read_source(self._database, source.row))
                continue
            versions = {source.row: source.version + 1 for source, _ in sources}
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
        self._hand_over(recorded.born)
        self._count(judgement, recorded)
        next_polls = [item.next_poll_at for item in judgement.records if item.next_poll_at]
        if next_polls:
            self.on_scheduled(min(next_polls))
        for (result, _), item in zip(group, judgement.records, strict=True):
            self._poll_log.polled(result, item.watch, item.next_poll_at)
        for source, standing in judgement.standings.values():
            if Turn.RECOVERED in standing.turns:
                self._poll_log.recovered(source)
            self._poll_log.remind(source, at=self._clock.now())

    def _count(self, judgement: Judgement, recorded: RecordResult) -> None:
        """Count the events that were stored, not those of batches claimed anew meanwhile."""
        owed = [owed for _, standing in judgement.standings.values() for owed in standing.owed]
        for item in judgement.records:
            if item.owed and item.claim in recorded.claims:
                owed.extend(item.owed)
        for one in owed:
            self._metrics.events.labels(one.event.type.value).inc()


def _nothing(_at: datetime) -> None:
    """Stand in until the poller is there."""
