"""The first delivery of an event, as storage hands it to a sink."""

from datetime import datetime

from monitor.core.delivery import Delivery
from monitor.core.event import Event


def first_delivery(event: Event, *, at: datetime) -> Delivery:
    """Return a delivery that nobody has tried yet, to the receiver `r`."""
    return Delivery(
        row=1,
        epoch=1,
        event_id=event.id,
        event_type=event.type,
        body=event.body,
        receiver="r",
        subject_kind=event.subject_kind,
        subject_row=event.subject_row,
        sequence=event.sequence,
        attempts=0,
        observed_at=at,
        enqueued_at=at,
    )
