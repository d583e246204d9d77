"""Discovery: the loop that looks for batches that nobody registered."""

import asyncio
import random
from collections.abc import AsyncGenerator, Collection, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from monitor.core.discovery import DiscoveryAnswer
from monitor.core.errors import PollError, StorageError
from monitor.core.pacing import JITTER
from monitor.core.pause import PROBE_AFTER
from monitor.core.source import is_answer
from monitor.engine.loop import Loop
from monitor.engine.metrics import OK
from monitor.engine.parts import Parts, Resources
from monitor.engine.polling.discovery_round import DiscoveryLog, DiscoveryRound
from monitor.engine.ports import Finder
from monitor.engine.source import SourceAtWork
from monitor.engine.writing.judgement import AccountAnswer
from monitor.engine.writing.writer import Writer
from monitor.storage.batches.claim import count_watched, draw_extra
from monitor.storage.batches.register import discover_batches
from monitor.storage.sources import note_listed

LOOK: Final = 0.25
"""Seconds after which a round that waits looks whether it may go on."""
RETRY: Final = timedelta(seconds=5)
"""Between tries while the database fails."""

log = structlog.stdlib.get_logger()


@dataclass(slots=True, kw_only=True, eq=False)
class _Plan:
    """When an account is to be looked at next, and the round under way."""

    source: SourceAtWork
    finder: Finder
    due_at: datetime
    log: DiscoveryLog
    round: asyncio.Task[None] | None = None
    waiting: bool = False
    """The round waits for others than the database: it can be cut off."""
    over: bool = False
    listed: bool = False
    """A complete round was noted: what is found from now on is new at the provider."""

    def end(self) -> None:
        """Let the round end: a GET can be repeated, a unit of work is finished."""
        self.over = True
        if self.round is not None and self.waiting:
            self.round.cancel()

    @contextmanager
    def losable(self) -> Iterator[None]:
        """Let the round be cancelled meanwhile, or at once if it was to end before."""
        if self.over:
            raise asyncio.CancelledError
        self.waiting = True
        try:
            yield
        finally:
            self.waiting = False


class Discovery:
    """Look at each account's lists at its own pace, at once at first; register what is new.

    What was ever registered is left alone, and what vanished from a list stays registered. Each
    request counts against the budget and waits while the account is in debt or paused. A failing
    account is tried from here only if it has no batches: else one of theirs is the probe.
    """

    def __init__(self, resources: Resources, parts: Parts, *, writer: Writer, polls: Loop) -> None:
        self._database, self._clock = resources.database, resources.clock
        self._metrics = resources.metrics
        self.loop = Loop("discovery", clock=self._clock)
        self._sources = parts.sources
        self._writer = writer
        self._polls = polls
        """The poller's loop: it is to come round for what was found."""
        self._plans: dict[str, _Plan] = {}

    def change(self, parts: Parts) -> set[asyncio.Task[None]]:
        """Look at these accounts from now on; return the rounds that are being ended."""
        self._sources = parts.sources
        before = list(self._plans.values())
        kept = self._current()
        ended = [plan for plan in before if plan not in kept]
        self.loop.bell.ring()
        return self._end(ended)

    def close(self) -> set[asyncio.Task[None]]:
        """Begin no more rounds, and drop requests under way; return the rounds that are to end."""
        self.loop.close()
        return self._end(self._plans.values())

    def _current(self) -> list[_Plan]:
        """Plan for each account as it is now: whoever finds for it may have been replaced."""
        plans: dict[str, _Plan] = {}
        for source in self._sources:
            name, finder = source.name, source.provider.finder
            plan = self._plans.get(name)
            if finder is None:
                continue
            if plan is None or plan.source is not source or plan.finder is not finder:
                known = DiscoveryLog(source=name, failing=plan.log.failing if plan else frozenset())
                now = self._clock.now()
                plan = _Plan(source=source, finder=finder, due_at=now, log=known)
            plans[name] = plan
        self._plans = plans
        return list(plans.values())

    async def turn(self) -> None:
        """Begin the rounds that are due."""
        for plan in self._current():
            if plan.round is None and plan.due_at <= self._clock.now():
                plan.round = asyncio.create_task(self._round(plan))

    async def _round(self, plan: _Plan) -> None:
        this_round = DiscoveryRound()
        try:
            await self._look(plan, this_round)
            if this_round.complete and not plan.listed:
                await note_listed(self._database, plan.source.row, now=self._clock.now())
                plan.listed = True
            self._plan_next(plan, this_round)
        except StorageError as error:
            self.loop.outage.began(error, at=self._clock.now())
            plan.due_at = self._clock.now() + RETRY
        except Exception as error:  # noqa: BLE001 (one answer must not stop the daemon)
            name = plan.source.name
            log.error(  # noqa: TRY400 (a traceback holds what the provider sent)
                "discovery.crashed", source=name, error=type(error).__name__
            )
            plan.due_at = self._clock.now() + plan.finder.every
        finally:
            plan.round = None
            plan.log.log_found(this_round)
            plan.log.log_unread(this_round)

    async def _look(self, plan: _Plan, this_round: DiscoveryRound) -> None:
        """Go through the account's lists."""
        async with aclosing(plan.finder.find(now=self._clock.now())) as lists:
            while not plan.over:
                probe = await self._wait(plan)
                found = await self._ask(plan, lists)
                if found is None:
                    break
                found = this_round.add(found)
                source, at, failure = plan.source, self._clock.now(), found.failure
                answer = AccountAnswer(source=source, at=at, failure=failure, probe=probe)
                await self._writer.note(answer)
                await self._register(plan, found, this_round)
                if None in this_round.failures:  # the account's own: it ends the round
                    break
        if not plan.over:
            this_round.end()

    async def _wait(self, plan: _Plan) -> bool:
        """Return once the account may be asked; return whether that probes a paused one."""
        source = plan.source
        extra, now = source.take_extra(), self._clock.now()
        row, rate = source.row, source.rate
        try:
            free_at = now + await draw_extra(self._database, row, extra, rate=rate, now=now)
        except StorageError:
            source.provider.extra_requests += extra
            raise
        self.loop.outage.ended()
        source.usage.add(extra, at=now)
        while True:
            blocked_until = source.blocked_until
            if self._clock.now() >= max(free_at, blocked_until or free_at):
                if blocked_until is None:
                    return False
                if not await count_watched(self._database, source.name, limit=1):
                    return True
            with plan.losable():
                await asyncio.sleep(LOOK)

    async def _ask(
        self, plan: _Plan, lists: AsyncGenerator[DiscoveryAnswer, None]
    ) -> DiscoveryAnswer | None:
        """Make one request; None: there are no more to be made."""
        try:
            with plan.losable():
                found = await anext(lists, None)
        except PollError as error:
            found = DiscoveryAnswer(failure=error)
        if found is not None:
            plan.source.provider.extra_requests += 1
        return found

    async def _register(
        self, plan: _Plan, found: DiscoveryAnswer, this_round: DiscoveryRound
    ) -> None:
        now = self._clock.now()
        new = await discover_batches(self._database, plan.source.name, found.ids, now=now)
        this_round.new += new
        this_round.seen += len(found.ids) - new
        if new:
            self._polls.expect(now)

    def _plan_next(self, plan: _Plan, this_round: DiscoveryRound) -> None:
        """Plan the next round; log whose lists begin to fail, and whose do no longer."""
        if plan.over:
            return
        name, every, failure = plan.source.name, plan.finder.every, this_round.failure
        self._metrics.discovery_rounds.labels(name, failure.kind.value if failure else OK).inc()
        plan.log.log_failures(this_round)
        wait = every * (1 + JITTER * random.uniform(-1, 1))  # noqa: S311 (spreads load, guards nothing)
        soon = failure is not None and not is_answer(failure.kind)
        plan.due_at = self._clock.now() + (min(wait, PROBE_AFTER) if soon else wait)

    def _end(self, plans: Collection[_Plan]) -> set[asyncio.Task[None]]:
        for plan in plans:
            plan.end()
        return {plan.round for plan in plans if plan.round is not None}
