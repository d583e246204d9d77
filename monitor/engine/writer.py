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
from monitor.engine.fold import Fold, Result, Sign, fold, read
from monitor.engine.metrics import Metrics
from monitor.engine.outage import Outage
from monitor.engine.trouble import Trouble
from monitor.storage.batches import count_watched
from monitor.storage.database import Database
from monitor.storage.outbox import Birth
from monitor.storage.record import Recorded, record
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
        trouble: Trouble,
        metrics: Metrics,
        hand_over: Callable[[Sequence[Delivery]], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self.routes = routes
        self._promise = promise
        self._trouble = trouble
        self._metrics = metrics
        self._hand_over = hand_over
        self.outage = Outage("writer")
        self.on_scheduled: Callable[[datetime], None] = _nothing
        """Called with the time at which the first of the committed batches is due again."""
        self._queue: deque[tuple[Result, Observation | None]] = deque()
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
        observation = None if result.reading is None else read(result, result.reading)
        self._queue.append((result, observation))
        self._arrived.ring()
        quiet = observation is not None and not observation.events and result.account.health.clean
        if not quiet or len(self._queue) >= GROUP:
            self._urgent.ring()

    async def note(self, sign: Sign) -> None:
        """Commit what a request without a batch says of its account; raise StorageError."""
        account = sign.account
        if sign.failure is None and account.health.clean and account.blocked_until is None:
            account.answered_at = sign.at
            return
        await self._commit([], [sign])

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

    async def _commit_alone(self, result: Result, observation: Observation | None) -> None:
        """Commit one result; if its data is what the database refuses, it is a failed poll."""
        try:
            return await self._commit([(result, observation)])
        except DataRefusedError as error:
            self._tell_refused(result, error)
        failure = PollError(FailureKind.INVALID_BODY)
        try:
            await self._commit([(replace(result, reading=None, failure=failure), None)])
        except DataRefusedError as error:  # its lease runs out, then it is polled again
            self._tell_refused(result, error)

    def _tell_refused(self, result: Result, error: DataRefusedError) -> None:
        log.warning(
            "poll.refused_by_database",
            source=result.account.source.name,
            batch=result.claim.watch.batch.id,
            reason=str(error),
        )

    async def _commit(
        self, group: Sequence[tuple[Result, Observation | None]], signs: Sequence[Sign] = ()
    ) -> None:
        async with self._commits:  # one at a time: the relay's promise of room is for one
            await self._fold_and_record(group, signs)

    async def _fold_and_record(
        self, group: Sequence[tuple[Result, Observation | None]], signs: Sequence[Sign]
    ) -> None:
        while True:
            self.beat.turn()
            folded = fold(
                group,
                signs=signs,
                routes=self.routes,
                watched=await self._watched([*signs, *(result for result, _ in group)]),
                now=self._clock.now(),
            )
            sources = folded.sources()
            try:
                recorded = await record(
                    self._database,
                    folded.records,
                    sources=sources,
                    birth=self._promise(folded.receivers()),
                    now=self._clock.now(),
                )
            except SourceMovedError:
                for account, _ in folded.standings.values():
                    account.adopt(await read_source(self._database, account.source.row))
                continue
            versions = {source.row: source.version + 1 for source, _ in sources}
            self._settle(group, folded, recorded, versions)
            return

    async def _watched(self, group: Sequence[Result | Sign]) -> dict[int, int]:
        """Count the batches of the accounts with failed polls: one alone says less than several."""
        accounts = {
            result.account.source.row: result.account.source.name
            for result in group
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
        versions: Mapping[int, int],
    ) -> None:
        """Take the commit over into memory, the log and the relay.

        `versions` holds those of the sources that were written; a claim may have read them, or
        newer ones, from the database before we get here.
        """
        for row, (account, standing) in folded.standings.items():
            account.answered_at = standing.answered_at
            if account.version < versions.get(row, 0):
                account.health = standing.health
                account.blocked_until = standing.blocked_until
                account.version = versions[row]
        self._hand_over(recorded.born)
        self._count(folded, recorded)
        next_polls = [item.next_poll_at for item in folded.records if item.next_poll_at]
        if next_polls:
            self.on_scheduled(min(next_polls))
        for (result, _), item in zip(group, folded.records, strict=True):
            self._trouble.polled(result, item.watch, item.next_poll_at)
        for account, standing in folded.standings.values():
            if Turn.RECOVERED in standing.turns:
                self._trouble.recovered(account)
            self._trouble.remind(account, at=self._clock.now())

    def _count(self, folded: Fold, recorded: Recorded) -> None:
        """Count the events that were stored, not those of batches claimed anew meanwhile."""
        owed = [owed for _, standing in folded.standings.values() for owed in standing.owed]
        for item in folded.records:
            if item.owed and item.claim in recorded.claims:
                owed.extend(item.owed)
        for one in owed:
            self._metrics.events.labels(one.event.type.value).inc()


def _nothing(_at: datetime) -> None:
    """Stand in until the poller is there."""
