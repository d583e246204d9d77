"""The poller: claims due batches source by source, and reads them."""

import asyncio
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import structlog

from monitor.core.batch import Reading
from monitor.core.errors import FailureKind, PollError, StorageError
from monitor.core.observe import instant
from monitor.engine.account import Account
from monitor.engine.beat import Beat
from monitor.engine.bell import Bell
from monitor.engine.clock import Clock
from monitor.engine.fold import Result
from monitor.engine.metrics import OK, Metrics
from monitor.engine.outage import Outage
from monitor.engine.writer import Writer
from monitor.storage.batches import Claim, claim_batches, due_sources, unclaim_batches
from monitor.storage.database import Database

TURN: Final = 1.0
"""Seconds after which the loop looks for due batches by itself."""
COMPANY: Final = 0.02
"""Seconds that a due batch may wait for others: a claim costs the same for one as for many."""
AGAIN: Final = timedelta(seconds=0.05)
"""How long after a claim the next look comes at the latest."""
PATIENCE: Final = timedelta(seconds=2)
"""For how long a claimed batch may wait: its lease is reckoned for a poll that begins at once."""

log = structlog.stdlib.get_logger()


class Poller:
    """Keep up to `concurrency` polls under way, at most half of them for one source.

    The half is only a limit while other sources have due batches, or will have within a lease:
    one account that answers nothing must not take every slot.
    """

    def __init__(
        self,
        database: Database,
        accounts: Sequence[Account],
        *,
        writer: Writer,
        clock: Clock,
        metrics: Metrics,
        owner: str,
        concurrency: int,
        deadline: timedelta,
    ) -> None:
        self._database = database
        self.accounts = list(accounts)
        self._writer = writer
        self._clock = clock
        self._metrics = metrics
        self._owner = owner
        self._concurrency = concurrency
        self._lease = _lease(deadline)
        self._polls: set[asyncio.Task[None]] = set()
        self.outage = Outage("poller")
        self._refused = False
        """The last claim: a round that only reads does not say that writing works again."""
        self._closing = False
        self._given_back: list[Claim] = []
        self.bell = Bell()
        self.beat = Beat(every=TURN)

    async def run(self) -> None:
        """Claim and poll until closed."""
        while not self._closing:
            self.beat.turn()
            try:
                await self._round()
                if not self._refused:
                    self.outage.ended()
            except StorageError as error:
                self.outage.began(error, at=self._clock.now())
            await self.bell.wait(TURN)

    def change(
        self, accounts: Sequence[Account], *, concurrency: int, deadline: timedelta
    ) -> set[asyncio.Task[None]]:
        """Poll these sources from now on; return the polls still under way, of any source."""
        gone = [account for account in self.accounts if account not in accounts]
        self._given_back += [claim for account in gone for claim in account.hand.drop()]
        self.accounts = list(accounts)
        self._refused = False
        self._concurrency = concurrency
        self._lease = _lease(deadline)
        self.bell.ring()
        return set(self._polls)

    def expect(self, due_at: datetime) -> None:
        """Ring the bell when a batch is due, if that is sooner than it would ring anyway."""
        wait = (due_at - self._clock.now()).total_seconds()
        if wait < TURN:
            self.bell.ring_in(max(COMPANY, wait))

    async def close(self) -> None:
        """Stop claiming and drop the polls under way: a GET can be repeated."""
        self._closing = True
        self.bell.ring()
        polls = list(self._polls)
        for poll in polls:
            poll.cancel()
        await asyncio.gather(*polls, return_exceptions=True)

    async def _round(self) -> None:
        """Claim once for each source that has due batches, the first one in turn."""
        await self._give_back()
        due_at = await self._due()
        now = self._clock.now()
        until = now + self._lease  # of a source whose every batch is under way, too
        soon = [
            account
            for account in self.accounts
            if self._may_poll(account) and due_at.get(account.source.name, until) < until
        ]
        for account in soon:
            alone = len(soon) == 1
            account.cap = self._concurrency if alone else max(1, self._concurrency // 2)
        for account in soon:
            self.beat.turn()  # a slow database makes a round of many sources long
            want = self._room(account)
            if due_at[account.source.name] <= now and want > 0:
                await self._claim(account, want)
        if self.accounts:
            self.accounts.append(self.accounts.pop(0))

    async def _due(self) -> dict[str, datetime]:
        """Return when each source has something to poll; those with a backlog need no look."""
        now = self._clock.now()
        backlog = {a.source.name: now for a in self.accounts if a.backlog}
        if len(backlog) == len(self.accounts):
            return backlog
        names = {account.source.name for account in self.accounts}
        due_at = {k: v for k, v in (await due_sources(self._database)).items() if k in names}
        turn = now + timedelta(seconds=TURN)
        self.expect(min((at for at in due_at.values() if at > now), default=turn))
        probes = {
            account.source.name: now
            for account in self.accounts
            if account.blocked_until is not None and account.source.name in due_at
        }
        return due_at | backlog | probes

    def _may_poll(self, account: Account) -> bool:
        return account.blocked_until is None or account.blocked_until <= self._clock.now()

    def _room(self, account: Account) -> int:
        """Return how many more batches are to be claimed: for free slots, and ahead."""
        free = min(self._concurrency - len(self._polls), account.cap - account.in_flight)
        taken = len(self._polls) + sum(len(other.hand) for other in self.accounts)
        return min(free + account.hand.size - len(account.hand), self._writer.room - taken)

    async def _claim(self, account: Account, want: int) -> None:
        now = self._clock.now()
        extra = account.take_extra()
        try:
            claimed = await claim_batches(
                self._database,
                account.source.row,
                want=want,
                rate=account.rate,
                now=now,
                lease=self._lease,
                owner=self._owner,
                extra=extra,
                dice=random.random() if account.pressed else None,  # noqa: S311 (guards nothing)
            )
        except StorageError:
            account.provider.extra_requests += extra
            self._refused = True
            raise
        self._refused = False
        if self._closing or account not in self.accounts:
            self._given_back += claimed.claims
            return
        account.adopt(claimed.source)
        if account.blocked_until is not None:  # only a probe is begun
            self._given_back += account.hand.drop()
        account.backlog = len(claimed.claims) == want
        account.pressed = claimed.pressed
        if claimed.claims or extra:
            account.usage.add(len(claimed.claims) + extra, at=now)
        if claimed.claims:  # others are due soon, it may be: else they would wait for the next turn
            self.expect(now + AGAIN)
        account.hand.measure(at=now)
        account.hand.add(claimed.claims, at=now)
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
        if self._closing or len(self._polls) >= self._concurrency:
            return False
        now = self._clock.now()
        for account in self.accounts:
            claim = self._draw(account, now)
            if claim is not None:
                self._begin(account, claim)
                if len(self.accounts) > 1:
                    self.accounts.remove(account)
                    self.accounts.append(account)
                return True
        return False

    def _draw(self, account: Account, now: datetime) -> Claim | None:
        if not account.hand or account.in_flight >= account.cap:
            return None
        if account.blocked_until is None:
            self._given_back += account.hand.drop_stale(at=now, patience=PATIENCE)
        elif not account.hand.first.probe:  # it was paused since
            self._given_back += account.hand.drop()
        return account.hand.draw()

    def _begin(self, account: Account, claim: Claim) -> None:
        account.in_flight += 1
        lag = self._clock.now() - claim.due_at
        self._metrics.poll_lag.observe(max(0.0, lag.total_seconds()))
        poll = asyncio.create_task(self._poll(account, claim))
        self._polls.add(poll)
        poll.add_done_callback(partial(self._refill, account))

    async def _poll(self, account: Account, claim: Claim) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            watch = claim.watch
            reading = await account.provider.read(watch.batch.id, watch.known)
            self._put(account, claim, reading=reading)
        except PollError as error:
            self._put(account, claim, failure=error)
        except Exception as error:  # noqa: BLE001 (one answer must not stop the daemon)
            log.error(  # noqa: TRY400 (a traceback holds what the provider sent)
                "poll.crashed",
                source=account.source.name,
                batch=claim.watch.batch.id,
                error=type(error).__name__,
            )
            self._put(account, claim, failure=PollError(FailureKind.PROTOCOL))
        finally:
            account.in_flight -= 1
            self._metrics.poll_duration.observe(loop.time() - began)

    def _put(
        self,
        account: Account,
        claim: Claim,
        *,
        reading: Reading | None = None,
        failure: PollError | None = None,
    ) -> None:
        at = instant(claim.watch, self._clock.now())
        self._writer.put(
            Result(account=account, claim=claim, at=at, reading=reading, failure=failure)
        )
        result = failure.kind.value if failure else OK
        account.count(self._metrics, result)

    def _refill(self, account: Account, poll: asyncio.Task[None]) -> None:
        """Fill the slot anew; ring the bell when a good part of what can be claimed is."""
        self._polls.discard(poll)
        account.hand.count_end()
        self._begin_next()
        size, slots = account.hand.size, max(1, self._concurrency // 2)
        if account.backlog and self._room(account) >= max(slots, size // 2):
            self.bell.ring()


def _lease(deadline: timedelta) -> timedelta:
    """Return how long a claimed batch is ours: longer than any poll."""
    return 2 * deadline + timedelta(seconds=5)
