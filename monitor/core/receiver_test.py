"""What a test of a receiver sends: an event by which nothing has happened."""

import re
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from monitor.core.event import Document, Event, EventType, Subject, compose, stamp
from monitor.core.payload import receiver_data

_STAMP = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")


def compose_receiver_test(
    subject: Subject, *, kind: str, example: Document | None, sequence: int, at: datetime
) -> Event:
    """Compose a `monitor.test`, or an example as if it happened now, with `data.test` true.

    `kind` is the receiver's. An example comes from the receiver, under its sequence numbers: to
    a consumer it is of none of the batches and sources that there are. To us it is a test.
    """
    if example is None:
        data = receiver_data(subject.name, kind)
        return compose(EventType.TEST, subject, sequence=sequence, at=at, data=data)
    event = compose(
        EventType(example["type"]),
        replace(subject, name=example["subject"]),
        sequence=sequence,
        at=at,
        data=_put_off(example["data"], at - datetime.fromisoformat(example["time"]))
        | {"test": True},
    )
    return replace(event, type=EventType.TEST)


def _put_off(value: Any, span: timedelta) -> Any:
    """Return JSON with all its times later by a span."""
    match value:
        case dict():
            return {key: _put_off(part, span) for key, part in value.items()}
        case str() if _STAMP.fullmatch(value):
            return stamp(datetime.fromisoformat(value) + span)
        case _:
            return value
