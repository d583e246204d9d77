"""The writer: commits poll results in groups, as soon as the database is free."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
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
from monitor.engine.clock import Clock
from monitor.engine.fold import Fold, Result, fold, read
from monitor.engine.outage import Outage
from monitor.engine.trouble import Trouble
from monitor.storage.batches import count_watched
from monitor.storage.database import Database
from monitor.storage.outbox import Birth
from monitor.storage.record import BatchRecord, Recorded, record
from monitor.storage.sources import read_source

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
        birth: Birth,
        trouble: Trouble,
        hand_over: Callable[[Sequence[Delivery]], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._routes = routes
        self._birth = birth
        self._trouble = trouble
        self._hand_over = hand_over
        self._outage = Outage("writer")
        self.on_scheduled: Callable[[datetime], None] = _nothing
        """Called with the time at which the first of the committed batches is due again."""
        self._queue: deque[tuple[Result, Observation | None]] = deque()
        self._arrived = asyncio.Event()
        self._urgent = asyncio.Event()
        self._closing = False
        self.beat_at: datetime | None = None

    @property
    def room(self) -> int:
        """Return how many more results fit."""
        return QUEUE - len(self._queue)

    def put(self, result: Result) -> None:
        """Take a result; one that carries events, or may, goes out at once with all that waits."""
        observation = None if result.reading is None else read(result, result.reading)
        self._queue.append((result, observation))
        self._arrived.set()
        quiet = observation is not None and not observation.events and result.account.health.clean
        if not quiet or len(self._queue) >= GROUP:
            self._urgent.set()

    async def run(self) -> None:
        """Commit until closed and empty."""
        while not (self._closing and not self._queue):
            self.beat_at = self._clock.now()
            await self._wait()
            if self._queue:
                await self._commit_some()

    def close(self) -> None:
        """Let `run` end once all that was taken in is committed."""
        self._closing = True
        self._wake()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(1):
                await self._arrived.wait()
        except TimeoutError:
            return
        try:
            async with asyncio.timeout(COMPANY):
                await self._urgent.wait()
        except TimeoutError:
            pass

    async def _commit_some(self) -> None:
        """Commit the oldest results; while the database fails they wait, and polls with them."""
        self._arrived.clear()
        self._urgent.clear()
        group = [self._queue[n] for n in range(min(GROUP, len(self._queue)))]
        try:
            await self._commit(group)
        except DataRefusedError:
            await self._commit_singly(group)
        except StorageError as error:
            self._outage.began(error, at=self._clock.now())
            self._wake()
            await asyncio.sleep(RETRY)
            return
        self._outage.ended()
        for _ in group:
            self._queue.popleft()
        if self._queue:
            self._wake()

    async def _commit_singly(self, group: Sequence[tuple[Result, Observation | None]]) -> None:
        """Find the result whose data the database refuses: it becomes a failed poll."""
        for item in group:
            try:
                await self._commit([item])
            except DataRefusedError as error:
                result = item[0]
                log.warning(
                    "poll.refused_by_database",
                    source=result.account.source.name,
                    batch=result.claim.watch.batch.id,
                    reason=str(error),
                )
                failure = PollError(FailureKind.INVALID_BODY)
                await self._commit([(replace(result, reading=None, failure=failure), None)])

    async def _commit(self, group: Sequence[tuple[Result, Observation | None]]) -> None:
        while True:
            folded = fold(group, routes=self._routes, watched=await self._watched(group))
            try:
                recorded = await record(
                    self._database,
                    folded.records,
                    sources=folded.sources(),
                    owner=self._birth.owner,
                    birth=self._birth,
                    now=self._clock.now(),
                )
            except SourceMovedError:
                for account, _ in folded.standings.values():
                    account.adopt(await read_source(self._database, account.source.row))
                continue
            self._settle(group, folded, recorded)
            return

    async def _watched(self, group: Sequence[tuple[Result, Observation | None]]) -> dict[int, int]:
        """Count the batches of the accounts with failed polls: one alone says less than several."""
        accounts = {
            result.account.source.row: result.account.source.name
            for result, _ in group
            if result.failure is not None
        }
        return {
            row: await count_watched(self._database, name, limit=FORBIDDEN_POLLS)
            for row, name in accounts.items()
        }

    def _settle(
        self,
        group: Sequence[tuple[Result, Observation | None]],
        folded: Fold,
        recorded: Recorded,
    ) -> None:
        """Take the commit over into memory, the log and the relay."""
        written = {source.row for source, _ in folded.sources()}
        for row, (account, standing) in folded.standings.items():
            account.health = standing.health
            account.blocked_until = standing.blocked_until
            account.answered_at = standing.answered_at
            account.version += row in written
        self._hand_over(recorded.born)
        next_polls = [item.next_poll_at for item in folded.records if item.next_poll_at]
        if next_polls:
            self.on_scheduled(min(next_polls))
        for (result, _), item in zip(group, folded.records, strict=True):
            self._tell(result, item)
        for account, standing in folded.standings.values():
            if Turn.RECOVERED in standing.turns:
                self._trouble.recovered(account)
            self._trouble.remind(account, at=self._clock.now())

    def _tell(self, result: Result, item: BatchRecord) -> None:
        account, watch = result.account, item.watch
        if result.failure is not None:
            self._trouble.failed(account, watch, result.failure, item.next_poll_at, at=result.at)
        elif result.reading is not None:
            self._trouble.succeeded(account, watch)
            self._trouble.unknown_words(account, result.reading.unknown_call_statuses)

    def _wake(self) -> None:
        self._arrived.set()
        self._urgent.set()


def _nothing(_at: datetime) -> None:
    """Stand in until the poller is there."""
