"""A test of a receiver: its event, and its delivery claimed by whoever tests."""

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from monitor.core.delivery import Delivery
from monitor.core.errors import StorageError
from monitor.core.event import Document, EventType, SubjectKind
from monitor.core.payload import receiver_subject
from monitor.core.receiver_test import compose_receiver_test
from monitor.storage.database import writing
from monitor.storage.deliveries.lanes import FREE, GIVE_UP, lock_subjects
from monitor.storage.deliveries.outbox import Reservation, RoutedEvent, enqueue
from monitor.storage.receivers import ReceiverRow
from monitor.storage.sql import milliseconds

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
def owe_receiver_test(
    connection: Connection,
    receiver: ReceiverRow,
    *,
    kind: str,
    example: Document | None = None,
    reservation: Reservation,
    now: datetime,
) -> Delivery:
    """Store the event under the receiver's next sequence number, and its delivery, claimed.

    `kind` is the receiver's, such as `webhook`; without an example it is a `monitor.test`.

    Earlier tests that nobody sends any more are given up: one that was cut off must not block
    this one, nor arrive later. Raises StorageError while another test is under way.
    """
    lock_subjects(connection, [(SubjectKind.RECEIVER, receiver.row)])
    values = {
        "receiver": receiver.name,
        "row": receiver.row,
        "type": EventType.TEST.value,
        "now": milliseconds(now),
    }
    connection.execute(_GIVE_UP, values)
    sequence = connection.execute(_COUNT, {"row": receiver.row}).scalar_one()
    event = compose_receiver_test(
        receiver_subject(receiver.row, receiver.name, receiver.key),
        kind=kind,
        example=example,
        sequence=sequence,
        at=now,
    )
    owed = RoutedEvent(event=event, receivers=(receiver.name,))
    reserved = enqueue(connection, [owed], now=now, reservation=reservation)
    if not reserved:  # raised inside, so that nothing is stored
        raise StorageError(
            f"another test of {receiver.name} is under way: try again when it has ended"
        )
    return reserved[0]
