"""The relay: sends due deliveries, a bounded number to each receiver, and settles them."""

import asyncio
import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from monitor.core.delivery import Delivery, Verdict, VerdictKind
from monitor.core.errors import StorageError
from monitor.engine.delivering.settler import Settler
from monitor.engine.loop import Loop
from monitor.engine.parts import Parts, Resources
from monitor.engine.receiver import ReceiverAtWork
from monitor.storage.deliveries.claim import claim_deliveries, due_receivers
from monitor.storage.deliveries.outbox import Reservation
from monitor.storage.receivers import read_holds

HOLDS_EVERY: Final = timedelta(seconds=1)

log = structlog.stdlib.get_logger()


class Relay:
    """Send what the outbox owes; other receivers never wait for one that is slow or held.

    A delivery is marked after it was sent, never before: one cut off between the two comes twice,
    with the same id, and none is lost. The heads of lanes are born claimed in the commit that makes
    them, and come here in memory (`reserve`, `accept`): an event waits for no second look.
    """

    def __init__(self, resources: Resources, parts: Parts) -> None:
        self._database, self._clock = resources.database, resources.clock
        self._metrics, self._owner = resources.metrics, resources.owner
        self.loop = Loop("relay", clock=self._clock)
        self.settler = Settler(resources, on_settled=self._use_room)
        self._receivers = {receiver.name: receiver for receiver in parts.receivers}
        self._sends: set[asyncio.Task[None]] = set()
        self._granted: dict[str, int] = {}
        """For how many new deliveries of whom room is reserved in the commit under way."""
        self._holds_read_at = self._clock.now()
        self._looked_at = -math.inf
        self._rang = False
        """It was we who rang the bell, and we know for whom."""

    @property
    def receivers(self) -> list[ReceiverAtWork]:
        """Return the receivers that are served."""
        return list(self._receivers.values())

    def change(self, parts: Parts) -> set[asyncio.Task[None]]:
        """Serve these receivers from now on; return the attempts still under way, to any."""
        served = {receiver.name: receiver for receiver in parts.receivers}
        for name, receiver in self._receivers.items():
            if served.get(name) is not receiver:
                self.settler.give_back(receiver.ahead.drop())
        self._receivers = served
        self.loop.bell.ring()
        return set(self._sends)

    def reserve(self, receivers: Iterable[str]) -> Reservation:
        """Return how many new deliveries of each receiver we take from the commit to come."""
        served = [self._receivers[name] for name in receivers if name in self._receivers]
        self._granted = {receiver.name: self._room(receiver) for receiver in served}
        return Reservation(
            owner=self._owner,
            room=dict(self._granted),
            lease={receiver.name: receiver.lease for receiver in served},
        )

    def _room(self, receiver: ReceiverAtWork) -> int:
        if receiver.hold is not None or self.loop.closing:
            return 0
        return max(0, receiver.wanted(self._clock.now()))

    def accept(self, reserved: Sequence[Delivery]) -> None:
        """Send deliveries that were born claimed; claim others if there was no room for more.

        Since room was reserved a commit has passed: one whose receiver left, or is held now,
        is given back, and all are if the daemon has begun to end.
        """
        granted, self._granted = self._granted, {}
        if self.loop.closing:  # their leases are given back
            return
        for delivery in reserved:
            granted[delivery.receiver] -= 1
            served = self._receivers.get(delivery.receiver)
            if served is None or served.hold is not None:  # it left, or is held since
                self.settler.give_back([delivery])
            else:
                served.ahead.add([delivery], at=delivery.enqueued_at)
        for name, left in granted.items():
            owed = self._receivers.get(name)
            if owed is not None:
                self._fill(owed)
                owed.backlog |= left <= 0
        if any(left <= 0 for left in granted.values()):
            self._ring()

    def _use_room(self, due: set[str]) -> None:
        """Use the room that a commit of ended attempts has made; something is due for some."""
        for receiver in self._receivers.values():
            receiver.backlog |= receiver.name in due
            self._go_on(receiver)

    async def close(self, *, patience: float) -> None:
        """Stop claiming; attempts under way get `patience` seconds, then may be sent again."""
        self.loop.close()
        if self._sends:
            _, late = await asyncio.wait(set(self._sends), timeout=patience)
            for send in late:
                send.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _follow_holds(self) -> None:
        """Take over, once a second, that somebody else lifted a hold, as `monitor test` does."""
        now = self._clock.now()
        held = [r for r in self._receivers.values() if r.hold is not None]
        if not held or self.settler.moves_holds or now - self._holds_read_at < HOLDS_EVERY:
            return
        self._holds_read_at = now
        holds = await read_holds(self._database)
        for receiver in held:
            if holds.get(receiver.name) is None and not self.settler.moves_holds:
                receiver.hold = receiver.held_at = None
                log.info("receiver.released", receiver=receiver.name)

    async def turn(self) -> float:
        """Claim for those of whom more may be due; look, once a turn, for whom else it is.

        Return the seconds until somebody takes something again.
        """
        await self._follow_holds()
        await self._look()
        for receiver in list(self._receivers.values()):
            self.loop.beat.note()  # a slow database makes a round of many receivers long
            self._fill(receiver)  # the time may have come for what is claimed already
            now = self._clock.now()
            wanted = receiver.wanted(now)
            if receiver.backlog and wanted > 0:
                await self._claim(receiver, wanted, now)
        if not any(receiver.backlog for receiver in self._receivers.values()):
            self.loop.outage.ended()  # else a claim that was refused is still to be made
        return self._pause()

    async def _look(self) -> None:
        """Look who has something due; who rang by ourselves knows that, but for a turn at most."""
        loop = asyncio.get_running_loop()
        knows, self._rang = self._rang, False
        if knows and loop.time() - self._looked_at < self.loop.every:
            return
        now = self._clock.now()
        if any(r.wanted(now) > 0 and not r.backlog for r in self._receivers.values()):
            for name, due_at in (await due_receivers(self._database)).items():
                if name in self._receivers and due_at <= now:
                    self._receivers[name].backlog = True
        self._looked_at = loop.time()

    async def _claim(self, receiver: ReceiverAtWork, wanted: int, now: datetime) -> None:
        receiver.backlog = False  # what becomes due from now on says so
        held = receiver.hold
        try:
            claimed = await claim_deliveries(
                self._database,
                receiver.name,
                limit=wanted,
                now=now,
                lease=receiver.lease,
                owner=self._owner,
            )
        except StorageError:
            receiver.backlog = True
            raise
        self.loop.outage.ended()
        if self.loop.closing or self._receivers.get(receiver.name) is not receiver:
            self.settler.give_back(claimed)
            return
        if receiver.hold is not None and receiver.hold is not held:  # it began meanwhile
            receiver.backlog = True
            self.settler.give_back(claimed)
            return
        receiver.backlog |= len(claimed) == wanted
        receiver.ahead.measure(at=now)
        receiver.ahead.add(claimed, at=now)
        self._fill(receiver)

    def _go_on(self, receiver: ReceiverAtWork) -> None:
        """Fill the slots again; ring the bell when a good part of what can be claimed is."""
        self._fill(receiver)
        wanted = receiver.wanted(self._clock.now())
        if receiver.backlog and wanted >= max(1, (receiver.slots + receiver.ahead.size) // 2):
            self._ring()

    def _ring(self) -> None:
        self._rang = True
        self.loop.bell.ring()

    def _fill(self, receiver: ReceiverAtWork) -> None:
        if self.loop.closing or self._receivers.get(receiver.name) is not receiver:
            return
        now = self._clock.now()
        self.settler.give_back(receiver.ahead.drop_stale(at=now, patience=receiver.patience))
        while (delivery := receiver.draw(self._clock.now())) is not None:
            self._start(receiver, delivery)

    def _start(self, receiver: ReceiverAtWork, delivery: Delivery) -> None:
        started_at = self._clock.now()
        receiver.begin(started_at)
        send = asyncio.create_task(self._send(receiver, delivery, started_at))
        self._sends.add(send)
        send.add_done_callback(self._sends.discard)

    async def _send(
        self, receiver: ReceiverAtWork, delivery: Delivery, started_at: datetime
    ) -> None:
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
            receiver.backlog = True  # for the probe, or for all that waited
            self.settler.give_back(receiver.ahead.drop())
            self._ring()
            receiver.tell_hold(verdict, was_held=was_held)
        ended = self.settler.put(
            receiver,
            delivery,
            verdict,
            started_at=started_at,
            at=now,
            hold_moved=moved,
            last=len(self._sends) == 1 and not receiver.ahead,
        )
        receiver.count(self._metrics, ended)
        self._go_on(receiver)

    def _pause(self) -> float:
        """Return the seconds until a receiver that was spaced or held takes something again."""
        now = self._clock.now()
        times = [
            moment
            for receiver in self._receivers.values()
            for moment in (receiver.next_send_at, receiver.hold.until if receiver.hold else None)
            if moment is not None and moment > now
        ]
        soonest = min(times, default=now + timedelta(seconds=self.loop.every))
        return min(self.loop.every, max(0.01, (soonest - now).total_seconds()))
