"""The poller: claims due batches source by source, and reads them."""

import asyncio
import random
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import structlog

from monitor.core.batch import Reading
from monitor.core.errors import PollError, StorageError
from monitor.core.failure import FailureKind
from monitor.core.observe import poll_time
from monitor.engine.loop import Loop
from monitor.engine.metrics import OK
from monitor.engine.parts import Parts, Resources
from monitor.engine.source import SourceAtWork
from monitor.engine.writing.judgement import Result
from monitor.engine.writing.writer import Writer
from monitor.storage.batches.claim import Claim, claim_batches, due_sources, unclaim_batches

AGAIN: Final = timedelta(seconds=0.05)
"""How long after a claim the next look comes at the latest."""
LONGEST_WAIT: Final = timedelta(seconds=2)
"""For how long a claimed batch may wait: its lease is reckoned for a poll that begins at once."""

log = structlog.stdlib.get_logger()


class Poller:
    """Keep up to `concurrency` polls under way, at most half of them for one source.

    The half is only a limit while other sources have due batches, or will have within a lease:
    one account that answers nothing must not take every slot (it left a healthy one 366 of 500
    polls, with the half all of them).

    It is a loop that claims, and no scheduler's job per batch: a claim takes as many as slots,
    budget and the writer's queue have room for, in one statement, and several daemons share the
    work by it. It claims source by source, for one claim of all would return what is paused.
    """

    def __init__(self, resources: Resources, parts: Parts, *, loop: Loop, writer: Writer) -> None:
        self._database, self._clock = resources.database, resources.clock
        self._metrics, self._owner = resources.metrics, resources.owner
        self.loop = loop
        self.sources = list(parts.sources)
        self._writer = writer
        self._concurrency, self._lease = parts.concurrency, _lease(parts.deadline)
        self._polls: set[asyncio.Task[None]] = set()
        self._refused = False
        """The last claim: a round that only reads does not say that writing works again."""
        self._given_back: list[Claim] = []

    def change(self, parts: Parts) -> set[asyncio.Task[None]]:
        """Poll these sources from now on; return the polls still under way, of any source."""
        gone = [source for source in self.sources if source not in parts.sources]
        self._given_back += [claim for source in gone for claim in source.ahead.drop()]
        self.sources = list(parts.sources)
        self._refused = False
        self._concurrency, self._lease = parts.concurrency, _lease(parts.deadline)
        self.loop.bell.ring()
        return set(self._polls)

    async def close(self) -> None:
        """Stop claiming and drop the polls under way: a GET can be repeated."""
        self.loop.close()
        polls = list(self._polls)
        for poll in polls:
            poll.cancel()
        await asyncio.gather(*polls, return_exceptions=True)

    async def turn(self) -> None:
        """Claim once for each source that has due batches, the first one in turn."""
        await self._give_back()
        due_at = await self._due()
        now = self._clock.now()
        until = now + self._lease  # of a source whose every batch is under way, too
        soon = [
            source
            for source in self.sources
            if self._may_poll(source) and due_at.get(source.name, until) < until
        ]
        for source in soon:
            alone = len(soon) == 1
            source.cap = self._concurrency if alone else max(1, self._concurrency // 2)
        for source in soon:
            self.loop.beat.note()  # a slow database makes a round of many sources long
            want = self._room(source)
            if due_at[source.name] <= now and want > 0:
                await self._claim(source, want)
        if self.sources:
            self.sources.append(self.sources.pop(0))
        if not self._refused:
            self.loop.outage.ended()

    async def _due(self) -> dict[str, datetime]:
        """Return when each source has something to poll; those with a backlog need no look."""
        now = self._clock.now()
        backlog = {a.name: now for a in self.sources if a.backlog}
        if len(backlog) == len(self.sources):
            return backlog
        names = {source.name for source in self.sources}
        due_at = {k: v for k, v in (await due_sources(self._database)).items() if k in names}
        turn = now + timedelta(seconds=self.loop.every)
        self.loop.expect(min((at for at in due_at.values() if at > now), default=turn))
        probes = {
            source.name: now
            for source in self.sources
            if source.blocked_until is not None and source.name in due_at
        }
        return due_at | backlog | probes

    def _may_poll(self, source: SourceAtWork) -> bool:
        return source.blocked_until is None or source.blocked_until <= self._clock.now()

    def _room(self, source: SourceAtWork) -> int:
        """Return how many more batches are to be claimed: for free slots, and ahead."""
        free = min(self._concurrency - len(self._polls), source.cap - source.in_flight)
        taken = len(self._polls) + sum(len(other.ahead) for other in self.sources)
        return min(free + source.ahead.size - len(source.ahead), self._writer.room - taken)

    async def _claim(self, source: SourceAtWork, want: int) -> None:
        now = self._clock.now()
        extra = source.take_extra()
        try:
            claimed = await claim_batches(
                self._database,
                source.row,
                want=want,
                rate=source.rate,
                now=now,
                lease=self._lease,
                owner=self._owner,
                extra=extra,
                dice=random.random() if source.pressed else None,  # noqa: S311 (guards nothing)
            )
        except StorageError:
            source.provider.extra_requests += extra
            self._refused = True
            raise
        self._refused = False
        if self.loop.closing or source not in self.sources:
            self._given_back += claimed.claims
            return
        source.adopt(claimed.source)
        if source.blocked_until is not None:  # only a probe is begun
            self._given_back += source.ahead.drop()
        source.backlog = len(claimed.claims) == want
        source.pressed = claimed.pressed
        if claimed.claims or extra:
            source.usage.add(len(claimed.claims) + extra, at=now)
        if claimed.claims:  # others are due soon, it may be: else they would wait for the next turn
            self.loop.expect(now + AGAIN)
        source.ahead.measure(at=now)
        source.ahead.add(claimed.claims, at=now)
        while self._begin_next():
            pass

    async def _give_back(self) -> None:
        """Let what was claimed ahead, and not begun, be due again."""
        claims = list(self._given_back)  # others may be given back meanwhile
        if claims:
            await unclaim_batches(self._database, claims)
            del self._given_back[: len(claims)]

    def _begin_next(self) -> bool:
        """Give a free slot to the next account in turn that has claimed ahead, if there is one."""
        if self.loop.closing or len(self._polls) >= self._concurrency:
            return False
        now = self._clock.now()
        for source in self.sources:
            claim = self._draw(source, now)
            if claim is not None:
                self._begin(source, claim)
                if len(self.sources) > 1:
                    self.sources.remove(source)
                    self.sources.append(source)
                return True
        return False

    def _draw(self, source: SourceAtWork, now: datetime) -> Claim | None:
        if not source.ahead or source.in_flight >= source.cap:
            return None
        if source.blocked_until is None:
            self._given_back += source.ahead.drop_stale(at=now, patience=LONGEST_WAIT)
        elif not source.ahead.first.probe:  # it was paused since
            self._given_back += source.ahead.drop()
        return source.ahead.draw()

    def _begin(self, source: SourceAtWork, claim: Claim) -> None:
        source.in_flight += 1
        lag = self._clock.now() - claim.due_at
        self._metrics.poll_lag.observe(max(0.0, lag.total_seconds()))
        poll = asyncio.create_task(self._poll(source, claim))
        self._polls.add(poll)
        poll.add_done_callback(partial(self._refill, source))

    async def _poll(self, source: SourceAtWork, claim: Claim) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            watch = claim.watch
            self._put(source, claim, await source.provider.read(watch.batch.id, watch.known))
        except PollError as error:
            self._put(source, claim, error)
        except Exception as error:  # noqa: BLE001 (one answer must not stop the daemon)
            log.error(  # noqa: TRY400 (a traceback holds what the provider sent)
                "poll.crashed",
                source=source.name,
                batch=claim.watch.batch.id,
                error=type(error).__name__,
            )
            self._put(source, claim, PollError(FailureKind.PROTOCOL))
        finally:
            source.in_flight -= 1
            self._metrics.poll_duration.observe(loop.time() - began)

    def _put(self, source: SourceAtWork, claim: Claim, answer: Reading | PollError) -> None:
        at = poll_time(claim.watch, self._clock.now())
        self._writer.put(Result(source=source, claim=claim, at=at, answer=answer))
        source.count(self._metrics, answer.kind if isinstance(answer, PollError) else OK)

    def _refill(self, source: SourceAtWork, poll: asyncio.Task[None]) -> None:
        """Fill the slot again; ring the bell when a good part of what can be claimed is."""
        self._polls.discard(poll)
        source.ahead.count_end()
        self._begin_next()
        size, slots = source.ahead.size, max(1, self._concurrency // 2)
        if source.backlog and self._room(source) >= max(slots, size // 2):
            self.loop.bell.ring()


def _lease(deadline: timedelta) -> timedelta:
    """Return how long a claimed batch is ours: longer than any poll.

    Whoever was paused for longer finds its claim's epoch taken, and drops what it read.
    """
    return 2 * deadline + timedelta(seconds=5)
