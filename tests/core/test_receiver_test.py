import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from monitor.core.event import Event, EventType
from monitor.core.payload import receiver_subject
from monitor.core.receiver_test import compose_receiver_test
from monitor.facts.examples import example_of

AT = datetime(2026, 12, 1, 9, 0, 5, 250000, tzinfo=UTC)
OPS = receiver_subject(3, "ops", "the receiver's key")
TIMES = {"scheduled_at", "observed_at", "previous_observed_at", "since", "ends_at"}


def compose(example: dict[str, Any] | None) -> Event:
    return compose_receiver_test(OPS, kind="slack", example=example, sequence=7, at=AT)


def test_without_an_example_it_is_a_test_of_its_own_type() -> None:
    event = compose(None)

    document = json.loads(event.body)
    assert (event.type, document["type"]) == ("monitor.test", "monitor.test")
    assert document["data"]["receiver"] == {"name": "ops", "kind": "slack"}


@pytest.mark.parametrize("event_type", EventType)
def test_an_example_is_the_documented_body_marked_and_of_the_receiver(
    event_type: EventType,
) -> None:
    example = example_of(event_type)

    document = json.loads(compose(example).body)

    of_this_moment = ("id", "source", "time", "timestamp", "data")
    assert document == example | {key: document[key] for key in of_this_moment}
    assert document["source"] == "/receivers/ops"
    assert document["time"] == document["timestamp"] == "2026-12-01T09:00:05.250Z"
    data = document["data"]
    assert data["test"] is True
    assert data["sequence"] == 7
    assert timeless(data) == timeless(example["data"] | {"sequence": 7, "test": True})


def timeless(value: dict[str, Any]) -> dict[str, Any]:
    return {
        key: timeless(part) if isinstance(part, dict) else part
        for key, part in value.items()
        if key not in TIMES
    }


def test_an_example_keeps_its_distances_in_time() -> None:
    document = json.loads(compose(example_of("batch.stalled")).body)

    since = datetime.fromisoformat(document["data"]["since"])
    assert AT - since == timedelta(minutes=15)
    assert document["data"]["observed_at"] == document["time"]


def test_to_us_an_example_is_a_test_of_the_receiver() -> None:
    event = compose(example_of("batch.failed"))

    assert (event.type, event.facts["type"]) == ("monitor.test", "monitor.test")
    assert (event.subject_kind, event.subject_row, event.sequence) == ("receiver", 3, 7)
