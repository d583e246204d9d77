import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from monitor.core.delivery import Delivery
from monitor.core.event import EventType, Subject, SubjectKind, compose
from tests.consumer import Consumer, Data
from tests.first_delivery import first_delivery


@pytest.fixture
async def receiver() -> AsyncIterator[Consumer]:
    """Take anything, also at an address that is a secret."""
    receiver = Consumer(None, path="/hooks/T0000/verysecretpathpart?key=0123456789abcdef")
    receiver.text = "ok"
    await receiver.start()
    yield receiver
    await receiver.stop()


@pytest.fixture
def batch_data() -> Data:
    """What the contract's example says of its batch."""
    return {
        "batch": {
            "source": "bolna-prod",
            "provider": "bolna",
            "id": "3c90c3cc0d444b5088888dd25736052a",
            "name": "customers.csv",
            "labels": {"team": "collections", "env": "prod"},
        },
        "sequence": 4,
        "status": "executed",
        "previous_status": "queued",
        "phase": "ended",
        "previous_phase": "pending",
        "outcome": "completed",
        "settled": False,
        "counts": {"completed": 5, "ringing": 2},
        "previous_counts": {"ringing": 7},
        "changes": {"completed": 5, "ringing": -5},
        "total_contacts": 11,
        "valid_contacts": 7,
        "progress": {"total": 7, "finished": 5, "open": 2, "percent": 71.4},
        "scheduled_at": None,
        "observed_at": "2026-01-29T08:31:02.114Z",
        "previous_observed_at": "2026-01-29T08:30:32.114Z",
    }


@pytest.fixture
def make_delivery(batch_data: Data) -> Callable[..., Delivery]:
    """Make a delivery of a status change, or of the type and data given."""

    def make(type_: EventType = EventType.STATUS_CHANGED, **data: Any) -> Delivery:
        at = datetime(2026, 1, 29, 8, 31, 2, 114000, tzinfo=UTC)
        subject = Subject(
            kind=SubjectKind.BATCH,
            row=1,
            key="key",
            source_path="/sources/bolna-prod",
            name=batch_data["batch"]["id"],
        )
        event = compose(type_, subject, sequence=4, at=at, data=batch_data | data)
        return first_delivery(event, at=at)

    return make


@pytest.fixture
def document(make_delivery: Callable[..., Delivery]) -> dict[str, Any]:
    """A whole event document, as it is sent."""
    loaded: dict[str, Any] = json.loads(make_delivery().body)
    return loaded
