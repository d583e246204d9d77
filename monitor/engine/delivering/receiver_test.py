"""The test of a receiver: a `monitor.test` owed, sent once by the real path, and settled."""

import os
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from monitor.core.delivery import Delivery, DeliveryState, Settlement, Verdict, VerdictKind
from monitor.core.errors import DataRefusedError
from monitor.core.event import Event, EventType, compose
from monitor.core.payload import receiver_data, receiver_subject
from monitor.engine.receiver import ReceiverAtWork
from monitor.storage.database import Database
from monitor.storage.deliveries.claim import EndedAttempt, settle_deliveries
from monitor.storage.deliveries.outbox import Reservation
from monitor.storage.deliveries.receiver_test import ReceiverTest, owe_receiver_test
from monitor.storage.receivers import ReceiverRow, lift_hold


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverTestResult:
    """What the one attempt brought."""

    delivery: Delivery
    verdict: Verdict
    started_at: datetime
    duration: timedelta

    @property
    def arrived(self) -> bool:
        """Return whether the receiver accepted it."""
        return self.verdict.kind is VerdictKind.DELIVERED


async def send_receiver_test(
    database: Database, receiver: ReceiverAtWork, row: ReceiverRow
) -> ReceiverTestResult:
    """Send a test, daemon or not; one that arrives lifts the receiver's hold.

    Raises StorageError while another test of it is under way, or when the database fails.
    """
    result = await _send(database, receiver, await _owe(database, receiver, row))
    if result.arrived and row.hold is not None:
        await lift_hold(database, row.name, now=await database.now())
    return result


async def _owe(database: Database, receiver: ReceiverAtWork, row: ReceiverRow) -> Delivery:
    now = await database.now()
    subject = receiver_subject(row.row, row.name, row.key)

    def compose_test(sequence: int) -> Event:
        data = receiver_data(row.name, receiver.kind)
        return compose(EventType.TEST, subject, sequence=sequence, at=now, data=data)

    reservation = Reservation(
        owner=f"test-{os.getpid()}-{secrets.token_hex(4)}",
        lease={row.name: receiver.lease},
        room={row.name: 1},
    )
    test = ReceiverTest(receiver=row, compose=compose_test, reservation=reservation)
    return await owe_receiver_test(database, test, now=now)


async def _send(
    database: Database, receiver: ReceiverAtWork, delivery: Delivery
) -> ReceiverTestResult:
    """Make the one attempt and settle it; one that is cut off by Ctrl-C is settled too."""
    started_at, began = await database.now(), time.monotonic()
    verdict = Verdict(kind=VerdictKind.RETRY, error="cancelled")
    try:
        verdict = await receiver.sink.send(delivery, sent_at=datetime.now(UTC))
    finally:
        duration = timedelta(seconds=time.monotonic() - began)
        result = ReceiverTestResult(
            delivery=delivery, verdict=verdict, started_at=started_at, duration=duration
        )
        await _settle(database, result)
    return result


async def _settle(database: Database, result: ReceiverTestResult) -> None:
    """Write the attempt; a test that failed is dead, so that it surprises nobody later."""
    settled = EndedAttempt(
        delivery=result.delivery,
        verdict=result.verdict,
        settlement=Settlement(
            state=DeliveryState.DELIVERED if result.arrived else DeliveryState.DEAD,
            due_at=None,
            attempts=1,
        ),
        started_at=result.started_at,
        duration=result.duration,
    )
    now = await database.now()
    try:
        await settle_deliveries(database, [settled], now=now)
    except DataRefusedError:
        await settle_deliveries(database, [settled.without_response()], now=now)
