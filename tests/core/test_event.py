import base64
import hashlib
import json
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from monitor.core.event import (
    CONDITION_NAMES,
    MATCHER_NAMES,
    EventType,
    Subject,
    SubjectKind,
    compose,
    facts,
    stamp,
)

AT = datetime(2026, 1, 29, 8, 31, 2, 114000, tzinfo=UTC)
DATA: dict[str, Any] = {
    "batch": {
        "source": "bolna-prod",
        "provider": "bolna",
        "id": "3c90",
        "name": "Kündigungen 🙂.csv",
        "labels": {"team": "collections", "env": "prod"},
    },
    "sequence": 0,
    "status": "executed",
    "phase": "ended",
    "outcome": "completed",
    "counts": {"completed": 5},
}


def subject(**fields: Any) -> Subject:
    given: dict[str, Any] = {
        "kind": SubjectKind.BATCH,
        "row": 7,
        "key": "the key",
        "source_path": "/sources/bolna-prod",
        "name": "3c90",
    }
    return Subject(**(given | fields))


def event_id(
    event_type: EventType = EventType.COMPLETED,
    *,
    key: str = "the key",
    sequence: int = 4,
    at: datetime = AT,
    data: dict[str, Any] = DATA,
) -> str:
    return compose(event_type, subject(key=key), sequence=sequence, at=at, data=data).id


def test_the_body_is_cloudevents_and_standard_webhooks_at_once() -> None:
    event = compose(EventType.COMPLETED, subject(), sequence=4, at=AT, data=DATA)

    document = json.loads(event.body)

    assert document == {
        "specversion": "1.0",
        "id": event.id,
        "source": "/sources/bolna-prod",
        "type": "batch.completed",
        "subject": "3c90",
        "time": "2026-01-29T08:31:02.114Z",
        "timestamp": "2026-01-29T08:31:02.114Z",
        "datacontenttype": "application/json",
        "data": DATA | {"sequence": 4, "observed_at": "2026-01-29T08:31:02.114Z"},
    }


def test_an_event_knows_what_it_is_about_and_no_receivers() -> None:
    event = compose(EventType.COMPLETED, subject(), sequence=4, at=AT, data=DATA)

    assert (event.type, event.subject_kind, event.subject_row) == (
        EventType.COMPLETED,
        SubjectKind.BATCH,
        7,
    )
    assert (event.sequence, event.at) == (4, AT)


def test_the_id_is_evt_and_26_base32_characters() -> None:
    assert re.fullmatch(r"evt_[A-Z2-7]{26}", event_id())


def test_the_id_is_the_sha_256_of_the_body_without_id_plus_the_registration_key() -> None:
    event = compose(EventType.COMPLETED, subject(), sequence=4, at=AT, data=DATA)

    bare = event.body.replace(f'"id":"{event.id}",'.encode(), b"")
    digest = base64.b32encode(hashlib.sha256(bare + b"the key").digest())

    assert len(bare) == len(event.body) - 38
    assert event.id == "evt_" + digest.decode()[:26]


def test_the_same_event_has_the_same_id_and_bytes() -> None:
    first, again = (
        compose(EventType.COMPLETED, subject(), sequence=4, at=AT, data=DATA) for _ in range(2)
    )

    assert first == again


def test_one_id_never_stands_for_other_bytes() -> None:
    ids = {
        event_id(),
        event_id(EventType.FAILED),
        event_id(sequence=5),
        event_id(at=AT + timedelta(milliseconds=1)),
        event_id(data=DATA | {"status": "completed"}),
    }

    assert len(ids) == 5


def test_another_registration_key_makes_another_id_of_the_same_body() -> None:
    assert event_id(key="the key") != event_id(key="another installation's")


def test_text_is_sent_as_it_is_in_utf_8() -> None:
    body = compose(EventType.COMPLETED, subject(), sequence=4, at=AT, data=DATA).body

    assert '"name":"Kündigungen 🙂.csv"'.encode() in body


@pytest.mark.parametrize(
    ("at", "written"),
    [
        (AT, "2026-01-29T08:31:02.114Z"),
        (AT.replace(microsecond=0), "2026-01-29T08:31:02.000Z"),
        (AT.replace(microsecond=999_999), "2026-01-29T08:31:02.999Z"),
        (AT.astimezone(timezone(timedelta(hours=5, minutes=30))), "2026-01-29T08:31:02.114Z"),
    ],
)
def test_times_are_utc_in_milliseconds_with_z(at: datetime, written: str) -> None:
    assert stamp(at) == written


def test_the_types_are_those_of_the_contract() -> None:
    assert set(EventType) == {
        "batch.first_seen",
        "batch.counts_changed",
        "batch.status_changed",
        "batch.status_unknown",
        "batch.completed",
        "batch.failed",
        "batch.cancelled",
        "batch.reopened",
        "batch.unreachable",
        "batch.reachable",
        "source.failing",
        "source.recovered",
        "batch.stalled",
        "batch.progressing",
        "batch.overdue",
        "monitor.test",
    }


# what matchers see


NO_CONDITIONS = dict.fromkeys(CONDITION_NAMES, "")


def test_matchers_see_the_batch_and_its_labels() -> None:
    event = compose(EventType.COMPLETED, subject(), sequence=4, at=AT, data=DATA)

    assert event.facts == NO_CONDITIONS | {
        "type": "batch.completed",
        "source": "bolna-prod",
        "provider": "bolna",
        "batch": "3c90",
        "name": "Kündigungen 🙂.csv",
        "status": "executed",
        "phase": "ended",
        "outcome": "completed",
        "team": "collections",
        "env": "prod",
    }


def test_matchers_see_the_empty_string_for_what_is_missing() -> None:
    nothing = {"status": None, "phase": None, "outcome": None}
    about = DATA["batch"] | {"name": None, "labels": {}}

    seen = facts({"type": "batch.unreachable", "data": DATA | nothing | {"batch": about}})

    assert {name for name, value in seen.items() if value == ""} == {
        "name",
        "status",
        "phase",
        "outcome",
        *CONDITION_NAMES,
    }
    assert set(seen) == {*MATCHER_NAMES, *CONDITION_NAMES}


def test_matchers_see_of_a_source_its_name_provider_and_labels() -> None:
    about = {"name": "bolna-prod", "provider": "bolna", "labels": {"env": "prod"}}

    seen = facts({"type": "source.failing", "data": {"source": about}})

    missing = dict.fromkeys(("batch", "name", "status", "phase", "outcome"), "")
    assert seen == missing | NO_CONDITIONS | {
        "type": "source.failing",
        "source": "bolna-prod",
        "provider": "bolna",
        "env": "prod",
    }


def test_matchers_see_of_a_receiver_only_the_type() -> None:
    seen = facts({"type": "monitor.test", "data": {"receiver": {"name": "ops", "kind": "slack"}}})

    assert seen == dict.fromkeys(MATCHER_NAMES, "") | NO_CONDITIONS | {"type": "monitor.test"}


def test_matchers_see_what_is_the_matter_whatever_a_label_says() -> None:
    about = DATA["batch"] | {"labels": {"late": "often", "stalled": "no"}}

    seen = facts(
        {"type": "batch.stalled", "data": DATA | {"batch": about, "conditions": ["stalled"]}}
    )

    assert {name: seen[name] for name in CONDITION_NAMES} == NO_CONDITIONS | {"stalled": "true"}


def test_no_label_hides_what_matchers_use_themselves() -> None:
    about = DATA["batch"] | {"labels": {"type": "mine", "status": "mine"}}

    seen = facts({"type": "batch.completed", "data": DATA | {"batch": about}})

    assert (seen["type"], seen["status"]) == ("batch.completed", "executed")
