"""The JSON Schema of the events holds for what is sent, and refuses what is not promised."""

import json
from datetime import UTC, datetime

import jsonschema_rs
import pytest

from monitor.core.body import DATA
from monitor.core.event import EventType
from monitor.core.payload import receiver_subject
from monitor.core.receiver_test import compose_receiver_test
from monitor.facts.examples import example_of
from tests.schema import SCHEMA, complaints

every_type = pytest.mark.parametrize("event_type", EventType)


def test_it_is_a_schema() -> None:
    jsonschema_rs.meta.validate(SCHEMA)


def test_it_knows_every_type() -> None:
    assert set(DATA) == set(EventType)


@every_type
def test_the_documented_body_fits(event_type: EventType) -> None:
    assert complaints(example_of(event_type)) == []


@every_type
def test_what_a_test_sends_fits(event_type: EventType) -> None:
    event = compose_receiver_test(
        receiver_subject(1, "ops", "key"),
        kind="slack",
        example=example_of(event_type),
        sequence=1,
        at=datetime.now(UTC),
    )

    assert complaints(json.loads(event.body)) == []


@every_type
def test_each_field_that_is_promised_is_missed(event_type: EventType) -> None:
    document = example_of(event_type)

    for part in (document, document["data"]):
        for field in list(part):
            kept = part.pop(field)
            assert complaints(document) != [], field
            part[field] = kept


@every_type
def test_each_field_of_another_kind_is_refused(event_type: EventType) -> None:
    document = example_of(event_type)

    for field, kept in list(document["data"].items()):
        document["data"][field] = [[]]
        assert complaints(document) != [], field
        document["data"][field] = kept


@pytest.mark.parametrize(
    ("field", "value"),
    [("scheduled_at", "tomorrow"), ("phase", "over"), ("counts", {"completed": "five"})],
)
def test_a_value_of_another_form_is_refused(field: str, value: object) -> None:
    document = example_of(EventType.COMPLETED)
    document["data"][field] = value

    assert complaints(document) != []


def test_fields_and_types_that_are_added_later_fit() -> None:
    more = example_of(EventType.SOURCE_FAILING)
    more["extra"] = more["data"]["extra"] = more["data"]["error"]["extra"] = 1
    more["data"]["error"]["kind"] = "quite_new"
    other = example_of(EventType.TEST) | {"type": "receiver.failing", "data": {"anything": 1}}

    assert complaints(more) == complaints(other) == []
