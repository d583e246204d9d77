"""The relay: sends due deliveries, a bounded number to each receiver, and settles them."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from monitor.core.delivery import Delivery, DeliveryState, Settlement, Verdict, VerdictKind
from monitor.core.errors import StorageError
from monitor.core.event import stamp
from monitor.engine.beat import Beat
from monitor.engine.bell import Bell
from monitor.engine.clock import Clock
from monitor.engine.metrics import Metrics
from monitor.engine.outage import Outage
from monitor.engine.receiver import Receiver
from monitor.engine.settler import Settler
from monitor.storage.database import Database
from monitor.storage.deliveries import claim_deliveries, due_receivers
from monitor.storage.receivers import read_holds

TURN: Final = 1.0
"""Seconds after which the loop looks for due deliveries by itself."""

HOLDS_TURN: Final = timedelta(seconds=1)

log = structlog.stdlib.get_logger()


class Relay:
    """Send what the outbox owes; other receivers never wait for one that is slow or held."""

    def __init__(
        self,
        database: Database,
        receivers: Sequence[Receiver],
        *,
        settler: Settler,
        clock: Clock,
        metrics: Metrics,
        owner: str,
    ) -> None:
        self._database = database
        self._receivers = {receiver.name: receiver for receiver in receivers}
        self._settler = settler
        self._clock = clock
        self._metrics = metrics
        self._owner = owner
        self._sends: set[asyncio.Task[None]] = set()
        self.outage = Outage("relay")
        self._closing = False
        self._asked = False
        """Somebody owes a receiver something: what is not born claimed is to be looked for."""
        self._looked_at = clock.now()
        self.bell = Bell()
        self.beat = Beat(every=TURN)

    @property
    def receivers(self) -> list[Receiver]:
        """Return the receivers that are served."""
        return list(self._receivers.values())

    def change(self, receivers: Sequence[Receiver]) -> set[asyncio.Task[None]]:
        """Serve these receivers from now on; return the attempts still under way, to any."""
        self._receivers = {receiver.name: receiver for receiver in receivers}
        self.bell.ring()
        return set(self._sends)

    def room(self, receiver: str) -> int:
        """Promise room for deliveries of a receiver that may be born claimed; return how much.

        The promise holds until `take`, so that nothing else fills that room during the commit.
        """
        self._asked = True
        found = self._receivers.get(receiver)
        if found is None or found.hold is not None or self._closing:
            return 0
        found.promised = 0  # by a commit that failed
        found.promised = max(0, found.room(self._clock.now()))
        return found.promised

    def take(self, born: Sequence[Delivery]) -> None:
        """Send deliveries that were born claimed; look for those that were not."""
        for receiver in self._receivers.values():
            receiver.promised = 0
        if self._closing:  # their leases are given back
            return
        for delivery in born:
            served = self._receivers.get(delivery.receiver)
            if served is not None:  # else it left meanwhile: what it is owed waits
                self._start(served, delivery)
        if self._asked:  # else the commit owes nothing
            self._asked = False
            self.bell.ring()

    async def run(self) -> None:
        """Claim and send until closed."""
        while not self._closing:
            self.beat.turn()
            try:
                await self._round()
                self.outage.ended()
            except StorageError as error:
                self.outage.began(error, at=self._clock.now())
            await self.bell.wait(self._pause())

    async def close(self, *, patience: float) -> None:
        """Stop claiming; attempts under way get `patience` seconds, then may be sent again."""
        self._closing = True
        self.bell.ring()
        if self._sends:
            _, late = await asyncio.wait(set(self._sends), timeout=patience)
            for send in late:
                send.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _follow_holds(self) -> None:
        """Take over, once a second, that somebody else lifted a hold, as `monitor test` does."""
        now = self._clock.now()
        held = [r for r in self._receivers.values() if r.hold is not None]
        if not held or self._settler.moves_holds or now - self._looked_at < HOLDS_TURN:
            return
        self._looked_at = now
        holds = await read_holds(self._database)
        for receiver in held:
            if holds.get(receiver.name) is None and not self._settler.moves_holds:
                receiver.hold = receiver.held_at = None
                log.info("receiver.released", receiver=receiver.name)

    async def _round(self) -> None:
        await self._follow_holds()
        ready = [r for r in self._receivers.values() if r.room(self._clock.now()) > 0]
        if not ready:
            return
        due = await due_receivers(self._database)
        for receiver in ready:
            self.beat.turn()  # a slow database makes a round of many receivers long
            now = self._clock.now()
            room = receiver.room(now)
            if receiver.name in due and due[receiver.name] <= now and room > 0:
                await self._claim(receiver, room, now)

    async def _claim(self, receiver: Receiver, room: int, now: datetime) -> None:
        receiver.claiming = 1 if receiver.spacing else room
        try:
            claimed = await claim_deliveries(
                self._database,
                receiver.name,
                limit=receiver.claiming,
                now=now,
                lease=receiver.lease,
                owner=self._owner,
            )
        finally:
            receiver.claiming = 0
        if self._closing or self._receivers.get(receiver.name) is not receiver:
            return  # nobody would settle them any more: their leases are given back, or run out
        for delivery in claimed:
            self._start(receiver, delivery)

    def _start(self, receiver: Receiver, delivery: Delivery) -> None:
        started_at = self._clock.now()
        receiver.begin(started_at)
        send = asyncio.create_task(self._send(receiver, delivery, started_at))
        self._sends.add(send)
        send.add_done_callback(self._sends.discard)

    async def _send(self, receiver: Receiver, delivery: Delivery, started_at: datetime) -> None:
        try:
            verdict = await receiver.sink.send(delivery, sent_at=datetime.now(UTC))
        except asyncio.CancelledError:
            receiver.in_flight -= 1
            raise
        except Exception as error:  # noqa: BLE001 (one delivery must not stop the daemon)
            log.error(  # noqa: TRY400 (a traceback holds what the delivery says)
                "delivery.crashed", receiver=receiver.name, error=type(error).__name__
            )
            verdict = Verdict(kind=VerdictKind.RETRY, error="internal")
        now = self._clock.now()
        was_held = receiver.hold is not None
        moved = receiver.end(verdict, started_at=started_at, now=now)
        if moved:
            self._tell_hold(receiver, verdict, was_held=was_held)
        settlement = self._settler.put(
            receiver, delivery, verdict, started_at=started_at, at=now, hold_moved=moved
        )
        self._count(receiver, delivery, verdict, settlement, at=now)
        self.bell.ring()

    def _count(
        self,
        receiver: Receiver,
        delivery: Delivery,
        verdict: Verdict,
        settlement: Settlement,
        *,
        at: datetime,
    ) -> None:
        accepted = verdict.kind is VerdictKind.DELIVERED
        kind = "ok" if accepted else verdict.error or str(verdict.status_code)
        dead = settlement.state is DeliveryState.DEAD
        result = VerdictKind.DEAD if dead else verdict.kind
        self._metrics.deliveries.labels(receiver.name, result.value).inc()
        self._metrics.attempts.labels(receiver.name, kind).inc()
        if accepted:
            latency = (at - delivery.observed_at).total_seconds()
            self._metrics.delivery_latency.observe(max(0.0, latency))

    def _tell_hold(self, receiver: Receiver, verdict: Verdict, *, was_held: bool) -> None:
        if receiver.hold is None:
            log.info("receiver.released", receiver=receiver.name)
        elif not was_held:
            log.warning(
                "receiver.held",
                receiver=receiver.name,
                error=verdict.error,
                status_code=verdict.status_code,
                next_try=stamp(receiver.hold.until),
            )

    def _pause(self) -> float:
        """Return the seconds until a receiver that was spaced or held takes something again."""
        now = self._clock.now()
        times = [
            moment
            for receiver in self._receivers.values()
            for moment in (
                receiver.next_send_at,
                receiver.hold.until if receiver.hold else None,
            )
            if moment is not None and moment > now
        ]
        soonest = min(times, default=now + timedelta(seconds=TURN))
        return min(TURN, max(0.01, (soonest - now).total_seconds()))
