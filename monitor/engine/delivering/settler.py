"""The settler: writes what became of deliveries, in groups."""

import random
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import islice
from typing import Final

import structlog

from monitor.core.delivery import Delivery, DeliveryState, Verdict, VerdictKind, settle
from monitor.core.errors import DataRefusedError
from monitor.core.event import stamp
from monitor.core.pause import Hold
from monitor.engine.groups import GROUP, GroupLoop
from monitor.engine.parts import Resources
from monitor.engine.receiver import ReceiverAtWork
from monitor.storage.deliveries.claim import EndedAttempt, settle_deliveries, unclaim_deliveries
from monitor.storage.receivers import hold_receiver, lift_hold

COMPANY: Final = 0.02
"""Seconds that an ended attempt may wait for others."""

log = structlog.stdlib.get_logger()


class Settler:
    """Take ended attempts in and commit them in order of their end.

    `on_settled` is called after each commit with the receivers for which something became due.
    """

    def __init__(self, resources: Resources, *, on_settled: Callable[[set[str]], None]) -> None:
        self._database, self._clock = resources.database, resources.clock
        self.loop = GroupLoop("settler", clock=self._clock, company=COMPANY, waits=self._has_work)
        self._settled: deque[tuple[ReceiverAtWork, EndedAttempt]] = deque()
        self._given_back: deque[Delivery] = deque()
        self._holds: deque[tuple[str, Hold | None]] = deque()
        """What became of whose hold; None: lifted."""
        self._on_settled = on_settled

    def _has_work(self) -> bool:
        return bool(self._settled or self._holds or self._given_back)

    @property
    def moves_holds(self) -> bool:
        """Return whether the database does not know all holds yet."""
        return bool(self._holds)

    def put(
        self,
        receiver: ReceiverAtWork,
        delivery: Delivery,
        verdict: Verdict,
        *,
        started_at: datetime,
        at: datetime,
        hold_moved: bool,
        last: bool,
    ) -> EndedAttempt:
        """Decide what follows an attempt, queue it for the database, and return it.

        It waits a moment for company, unless it is the `last` that was under way.
        """
        settlement = settle(
            delivery,
            verdict,
            schedule=receiver.schedule,
            at=at,
            jitter=random.uniform(-1, 1),  # noqa: S311 (spreads load, guards nothing)
        )
        item = EndedAttempt(
            delivery=delivery,
            verdict=verdict,
            settlement=settlement,
            started_at=started_at,
            duration=at - started_at,
        )
        self._settled.append((receiver, item))
        receiver.unsettled += 1
        if hold_moved:
            self._holds.append((receiver.name, receiver.hold))
        _log_end(receiver, item)
        self.loop.bell.ring()
        if last or receiver.unsettled >= receiver.most_unsettled:
            self.loop.hurry()
        return item

    def give_back(self, claimed: Sequence[Delivery]) -> None:
        """Let deliveries that were claimed, and not begun, be due again."""
        self._given_back.extend(claimed)
        if claimed:
            self.loop.bell.ring()

    async def turn(self) -> None:
        """Commit a group of what ended, what became of holds, and what is given back."""
        await self._commit([item for _, item in islice(self._settled, GROUP)])
        await self._move_holds()
        await self._release()

    async def _commit(self, group: list[EndedAttempt]) -> None:
        """Commit a group; an answer that the database refuses is kept without its text."""
        if not group:
            return
        now = self._clock.now()
        try:
            due = await settle_deliveries(self._database, group, now=now)
        except DataRefusedError:
            due = await self._commit_singly(group)
        for _ in group:
            receiver, _ = self._settled.popleft()
            receiver.unsettled -= 1
        self._on_settled(due)

    async def _commit_singly(self, group: list[EndedAttempt]) -> set[str]:
        """Settle one by one; what is refused even without text waits for its lease to run out."""
        due: set[str] = set()
        for item in group:
            self.loop.beat.note()
            try:
                bare = [item.without_response()]
                due |= await settle_deliveries(self._database, bare, now=self._clock.now())
            except DataRefusedError as error:
                log.error(  # noqa: TRY400 (a traceback holds what the receiver sent)
                    "delivery.unsettled", delivery=item.delivery.row, reason=str(error)
                )
        return due

    async def _release(self) -> None:
        claimed = [*islice(self._given_back, GROUP)]
        if claimed:
            await unclaim_deliveries(self._database, claimed, now=self._clock.now())
        for _ in claimed:
            self._given_back.popleft()

    async def _move_holds(self) -> None:
        while self._holds:
            self.loop.beat.note()
            receiver, hold = self._holds[0]
            if hold is None:
                await lift_hold(self._database, receiver, now=self._clock.now())
                self._on_settled({receiver})
            else:
                await hold_receiver(self._database, receiver, hold)
            self._holds.popleft()


def _log_end(receiver: ReceiverAtWork, item: EndedAttempt) -> None:
    delivery, verdict, settlement = item.delivery, item.verdict, item.settlement
    dead = settlement.state is DeliveryState.DEAD
    if not dead and verdict.kind is not VerdictKind.RETRY:
        return
    what = {"receiver": receiver.name, "delivery": delivery.row, "event_id": delivery.event_id}
    why = {"status_code": verdict.status_code, "error": verdict.error}
    if dead:
        log.error("delivery.dead", **what, attempts=settlement.attempts, **why)
    else:
        next_try = stamp(settlement.due_at) if settlement.due_at else None
        log.warning(
            "delivery.failed", **what, attempt=settlement.attempts, **why, next_try=next_try
        )
