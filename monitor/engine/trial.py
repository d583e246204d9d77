"""The trial of a receiver: a `monitor.test` owed, sent once by the real path, and settled."""

import os
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from monitor.core.delivery import Delivery, DeliveryState, Settlement, Verdict, VerdictKind
from monitor.core.errors import DataRefusedError
from monitor.core.event import Event, EventType, compose
from monitor.core.payload import receiver_data, receiver_subject
from monitor.engine.receiver import Receiver
from monitor.storage.database import Database
from monitor.storage.deliveries import Settled, settle_deliveries
from monitor.storage.outbox import Birth
from monitor.storage.receiver_trial import Trial, owe_trial
from monitor.storage.receivers import ReceiverRow, lift_hold


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """Hold what the one attempt brought."""

    delivery: Delivery
    verdict: Verdict
    started_at: datetime
    duration: timedelta

    @property
    def arrived(self) -> bool:
        """Tell whether the receiver accepted it."""
        return self.verdict.kind is VerdictKind.DELIVERED


async def try_receiver(database: Database, receiver: Receiver, row: ReceiverRow) -> Tried:
    """Send a test, daemon or not; one that arrives lifts the receiver's hold.

    Raises StorageError while another test of it is under way, or when the database fails.
    """
    tried = await _send(database, receiver, await _owe(database, receiver, row))
    if tried.arrived and row.hold is not None:
        await lift_hold(database, row.name, now=await database.now())
    return tried


async def _owe(database: Database, receiver: Receiver, row: ReceiverRow) -> Delivery:
    now = await database.now()
    subject = receiver_subject(row.row, row.name, row.key)

    def compose_test(sequence: int) -> Event:
        data = receiver_data(row.name, receiver.kind)
        return compose(EventType.TEST, subject, sequence=sequence, at=now, data=data)

    birth = Birth(
        owner=f"test-{os.getpid()}-{secrets.token_hex(4)}",
        lease={row.name: receiver.lease},
        room={row.name: 1},
    )
    trial = Trial(receiver=row, compose=compose_test, birth=birth)
    return await owe_trial(database, trial, now=now)


async def _send(database: Database, receiver: Receiver, delivery: Delivery) -> Tried:
    """Make the one attempt and settle it; one that is cut off by Ctrl-C is settled too."""
    started_at, began = await database.now(), time.monotonic()
    verdict = Verdict(kind=VerdictKind.RETRY, error="cancelled")
    try:
        verdict = await receiver.sink.send(delivery, sent_at=datetime.now(UTC))
    finally:
        duration = timedelta(seconds=time.monotonic() - began)
        tried = Tried(delivery=delivery, verdict=verdict, started_at=started_at, duration=duration)
        await _settle(database, tried)
    return tried


async def _settle(database: Database, tried: Tried) -> None:
    """Write the attempt; a test that failed is dead, so that it surprises nobody later."""
    settled = Settled(
        delivery=tried.delivery,
        verdict=tried.verdict,
        settlement=Settlement(
            state=DeliveryState.DELIVERED if tried.arrived else DeliveryState.DEAD,
            due_at=None,
            attempts=1,
        ),
        started_at=tried.started_at,
        duration=tried.duration,
    )
    now = await database.now()
    try:
        await settle_deliveries(database, [settled], now=now)
    except DataRefusedError:
        await settle_deliveries(database, [settled.without_response()], now=now)
