"""A test of a receiver: its event and delivery, born claimed by whoever tests."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from monitor.core.delivery import Delivery
from monitor.core.errors import StorageError
from monitor.core.event import Event, EventType, SubjectKind
from monitor.storage.database import writing
from monitor.storage.deliveries.lanes import FREE, GIVE_UP, lock_subjects
from monitor.storage.deliveries.outbox import Reservation, RoutedEvent, enqueue
from monitor.storage.receivers import ReceiverRow
from monitor.storage.sql import milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverTest:
    """Who tests which receiver, and how the event of a sequence number is composed."""

    receiver: ReceiverRow
    compose: Callable[[int], Event]
    reservation: Reservation


# earlier tests that nobody sends any more
_GIVE_UP: Final = text(
    f"{GIVE_UP} WHERE receiver = :receiver AND subject_kind = 'receiver' AND subject_row = :row"
    f" AND {FREE} AND event IN (SELECT id FROM events WHERE type = :type"
    " AND subject_kind = 'receiver' AND subject_row = :row)"
)
# the next sequence number
_COUNT: Final = text(
    "UPDATE receivers SET sequence = sequence + 1 WHERE id = :row RETURNING sequence"
)


@writing
def owe_receiver_test(connection: Connection, test: ReceiverTest, *, now: datetime) -> Delivery:
    """Store the event under the receiver's next sequence number, and its delivery, claimed.

    Earlier tests that nobody sends any more are given up: one that was cut off must not block
    this one, nor arrive later. Raises StorageError while another test is under way.
    """
    receiver = test.receiver
    lock_subjects(connection, [(SubjectKind.RECEIVER, receiver.row)])
    values = {
        "receiver": receiver.name,
        "row": receiver.row,
        "type": EventType.TEST.value,
        "now": milliseconds(now),
    }
    connection.execute(_GIVE_UP, values)
    sequence = connection.execute(_COUNT, {"row": receiver.row}).scalar_one()
    owed = RoutedEvent(event=test.compose(sequence), receivers=(receiver.name,))
    reserved = enqueue(connection, [owed], now=now, reservation=test.reservation)
    if not reserved:  # raised inside, so that nothing is stored
        raise StorageError(
            f"another test of {receiver.name} is under way: try again when it has ended"
        )
    return reserved[0]
