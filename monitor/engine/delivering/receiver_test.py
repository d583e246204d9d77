"""The test of a receiver: one event owed, sent once by the real path, and settled."""

import os
import secrets
import time
from datetime import UTC, datetime, timedelta

from monitor.core.delivery import Delivery, DeliveryState, Settlement, Verdict, VerdictKind
from monitor.core.errors import DataRefusedError
from monitor.core.event import Document
from monitor.engine.receiver import ReceiverAtWork
from monitor.storage.database import Database
from monitor.storage.deliveries.claim import EndedAttempt, settle_deliveries
from monitor.storage.deliveries.outbox import Reservation
from monitor.storage.deliveries.receiver_test import owe_receiver_test
from monitor.storage.receivers import ReceiverRow, lift_hold


async def send_receiver_test(
    database: Database,
    receiver: ReceiverAtWork,
    row: ReceiverRow,
    *,
    example: Document | None = None,
) -> EndedAttempt:
    """Send a `monitor.test` or an example, daemon or not; an arrival lifts the receiver's hold.

    Raises StorageError while another test of it is under way, or when the database fails.
    """
    result = await _send(database, receiver, await _owe(database, receiver, row, example))
    if result.arrived and row.hold is not None:
        await lift_hold(database, row.name, now=await database.now())
    return result


async def _owe(
    database: Database, receiver: ReceiverAtWork, row: ReceiverRow, example: Document | None
) -> Delivery:
    reservation = Reservation(
        owner=f"test-{os.getpid()}-{secrets.token_hex(4)}",
        lease={row.name: receiver.lease},
        room={row.name: 1},
    )
    now = await database.now()
    return await owe_receiver_test(
        database, row, kind=receiver.kind, example=example, reservation=reservation, now=now
    )


async def _send(database: Database, receiver: ReceiverAtWork, delivery: Delivery) -> EndedAttempt:
    """Make the one attempt and settle it; one that is cut off by Ctrl-C is settled too.

    A test that failed is dead, so that it surprises nobody later.
    """
    started_at, began = await database.now(), time.monotonic()
    verdict = Verdict(kind=VerdictKind.RETRY, error="cancelled")
    try:
        verdict = await receiver.sink.send(delivery, sent_at=datetime.now(UTC))
    finally:
        arrived = verdict.kind is VerdictKind.DELIVERED
        state = DeliveryState.DELIVERED if arrived else DeliveryState.DEAD
        attempt = EndedAttempt(
            delivery=delivery,
            verdict=verdict,
            settlement=Settlement(state=state, due_at=None, attempts=1),
            started_at=started_at,
            duration=timedelta(seconds=time.monotonic() - began),
        )
        now = await database.now()
        try:
            await settle_deliveries(database, [attempt], now=now)
        except DataRefusedError:
            await settle_deliveries(database, [attempt.without_response()], now=now)
    return attempt
