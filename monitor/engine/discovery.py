"""Discovery: the loop that looks for batches that nobody registered."""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from monitor.core.errors import PollError, StorageError
from monitor.core.found import Found
from monitor.core.pacing import JITTER
from monitor.core.source import is_answer
from monitor.engine.account import PROBE_AFTER, Account
from monitor.engine.beat import Beat
from monitor.engine.bell import Bell
from monitor.engine.clock import Clock
from monitor.engine.fold import Sign
from monitor.engine.metrics import OK, Metrics
from monitor.engine.outage import Outage
from monitor.engine.ports import Finder
from monitor.engine.tally import Tally, Told
from monitor.engine.writer import Writer
from monitor.storage.batches import count_watched, draw_extra
from monitor.storage.database import Database
from monitor.storage.registry import discover_batches
from monitor.storage.sources import note_listed

TURN: Final = 1.0
"""Seconds after which the loop looks whether a round is due."""
LOOK: Final = 0.25
"""Seconds after which a round that waits looks whether it may go on."""
RETRY: Final = timedelta(seconds=5)
"""Between tries while the database fails."""
FOUND_LIMIT: Final = 10_000
"""Batches that one round may find."""

log = structlog.stdlib.get_logger()


@dataclass(slots=True, kw_only=True, eq=False)
class _Plan:
    """Hold when an account is to be looked at next, and the round under way."""

    account: Account
    finder: Finder
    due_at: datetime
    told: Told
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

    def __init__(
        self,
        database: Database,
        accounts: Sequence[Account],
        *,
        writer: Writer,
        clock: Clock,
        metrics: Metrics,
        on_found: Callable[[datetime], None],
    ) -> None:
        self._database = database
        self._accounts = list(accounts)
        self._writer = writer
        self._clock = clock
        self._metrics = metrics
        self._on_found = on_found
        self._plans: dict[str, _Plan] = {}
        self._closing = False
        self.outage = Outage("discovery")
        self.bell = Bell()
        self.beat = Beat(every=TURN)

    async def run(self) -> None:
        """Begin the rounds that are due, until closed; then wait for the last ones."""
        while not self._closing:
            self.beat.turn()
            for plan in self._current():
                self._begin(plan)
            await self.bell.wait(TURN)
        await asyncio.gather(*self._under_way(self._plans.values()), return_exceptions=True)

    def change(self, accounts: Sequence[Account]) -> set[asyncio.Task[None]]:
        """Look at these accounts from now on; return the rounds that are being ended."""
        self._accounts = list(accounts)
        before = list(self._plans.values())
        kept = self._current()
        ended = [plan for plan in before if plan not in kept]
        for plan in ended:
            plan.end()
        self.bell.ring()
        return self._under_way(ended)

    def close(self) -> None:
        """Let `run` end; requests under way are dropped."""
        self._closing = True
        for plan in self._plans.values():
            plan.end()
        self.bell.ring()

    def _current(self) -> list[_Plan]:
        """Plan for each account as it is now: whoever finds for it may have been replaced."""
        plans: dict[str, _Plan] = {}
        for account in self._accounts:
            name, finder = account.source.name, account.provider.finder
            plan = self._plans.get(name)
            if finder is None:
                continue
            if plan is None or plan.account is not account or plan.finder is not finder:
                told = Told(source=name)
                if plan is not None:
                    told.failing = plan.told.failing
                now = self._clock.now()
                plan = _Plan(account=account, finder=finder, due_at=now, told=told)
            plans[name] = plan
        self._plans = plans
        return list(plans.values())

    def _begin(self, plan: _Plan) -> None:
        if plan.round is None and plan.due_at <= self._clock.now():
            plan.round = asyncio.create_task(self._round(plan))

    async def _round(self, plan: _Plan) -> None:
        tally = Tally()
        try:
            await self._look(plan, tally)
            if tally.complete and not plan.listed:
                await note_listed(self._database, plan.account.source.row, now=self._clock.now())
                plan.listed = True
            self._settle(plan, tally)
        except StorageError as error:
            self.outage.began(error, at=self._clock.now())
            plan.due_at = self._clock.now() + RETRY
        except Exception as error:  # noqa: BLE001 (one answer must not stop the daemon)
            name = plan.account.source.name
            log.error(  # noqa: TRY400 (a traceback holds what the provider sent)
                "discovery.crashed", source=name, error=type(error).__name__
            )
            plan.due_at = self._clock.now() + plan.finder.every
        finally:
            plan.round = None
            plan.told.tell_found(tally)

    async def _look(self, plan: _Plan, tally: Tally) -> None:
        """Go through the account's lists."""
        async with aclosing(plan.finder.find(now=self._clock.now())) as lists:
            while not plan.over and tally.new + tally.seen < FOUND_LIMIT:
                probe = await self._wait(plan)
                found = await self._ask(plan, lists)
                if found is None:
                    break
                failure = tally.add(found)
                at = self._clock.now()
                sign = Sign(account=plan.account, at=at, failure=failure, probe=probe)
                await self._writer.note(sign)
                if isinstance(found, PollError):
                    break
                await self._register(plan, found, tally)
        if not plan.over:
            tally.end()

    async def _wait(self, plan: _Plan) -> bool:
        """Return once the account may be asked; tell whether that probes a paused one."""
        account = plan.account
        extra, now = account.take_extra(), self._clock.now()
        row, rate = account.source.row, account.rate
        try:
            free_at = now + await draw_extra(self._database, row, extra, rate=rate, now=now)
        except StorageError:
            account.provider.extra_requests += extra
            raise
        self.outage.ended()
        account.usage.add(extra, at=now)
        while True:
            blocked_until = account.blocked_until
            if self._clock.now() >= max(free_at, blocked_until or free_at):
                if blocked_until is None:
                    return False
                if not await count_watched(self._database, account.source.name, limit=1):
                    return True
            with plan.losable():
                await asyncio.sleep(LOOK)

    async def _ask(
        self, plan: _Plan, lists: AsyncGenerator[Found, None]
    ) -> Found | PollError | None:
        """Make one request; none: there are no more to be made."""
        found: Found | PollError | None
        try:
            with plan.losable():
                found = await anext(lists, None)
        except PollError as error:
            found = error
        if found is not None:
            plan.account.provider.extra_requests += 1
        return found

    async def _register(self, plan: _Plan, found: Found, tally: Tally) -> None:
        now = self._clock.now()
        new = await discover_batches(self._database, plan.account.source.name, found.ids, now=now)
        tally.new += new
        tally.seen += len(found.ids) - new
        tally.skipped += found.skipped
        if new:
            self._on_found(now)

    def _settle(self, plan: _Plan, tally: Tally) -> None:
        """Plan the next round; tell whose lists begin to fail, and whose do no longer."""
        if plan.over:
            return
        name, every, failure = plan.account.source.name, plan.finder.every, tally.failure
        self._metrics.discovery_rounds.labels(name, failure.kind.value if failure else OK).inc()
        plan.told.tell_failures(tally)
        wait = every * (1 + JITTER * random.uniform(-1, 1))  # noqa: S311 (spreads load, guards nothing)
        soon = failure is not None and not is_answer(failure.kind)
        plan.due_at = self._clock.now() + (min(wait, PROBE_AFTER) if soon else wait)

    def _under_way(self, plans: Iterable[_Plan]) -> set[asyncio.Task[None]]:
        return {plan.round for plan in plans if plan.round is not None}
