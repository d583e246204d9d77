import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from monitor.core.batch import COUNTS_LIMIT, NAME_LIMIT, STATUS_LIMIT, Batch, Phase
from monitor.core.batch_id import ID_LIMIT
from monitor.core.event import EventType, compose
from monitor.core.failure import FailureKind
from monitor.core.payload import (
    LABELS_LIMIT,
    failure_data,
    labels_of,
    receiver_data,
    receiver_subject,
    source_data,
    source_subject,
)
from monitor.core.source import Source

if TYPE_CHECKING:
    from tests.core.conftest import Life

NewLife = Callable[..., "Life"]
MakeBatch = Callable[..., Batch]
MakeSource = Callable[..., Source]

AT = datetime(2026, 1, 29, 8, 31, 2, 114000, tzinfo=UTC)
BODY_LIMIT = 64 * 1024


@pytest.fixture
def example(new_life: NewLife, batch: MakeBatch, source: MakeSource) -> "Life":
    """Play the batch of the contract's example up to its fourth event."""
    life = new_life(
        batch=batch(labels={"team": "collections"}),
        source=source(labels={"env": "prod"}),
        now=AT - timedelta(seconds=90),
    )
    fields: dict[str, Any] = {
        "valid_contacts": 7,
        "name": "customers.csv",
        "scheduled_at": datetime(2026, 1, 29, 8, 30, tzinfo=UTC),
    }
    life.reads("queued", {"ringing": 7}, total_contacts=10, **fields)
    life.reads("queued", {"ringing": 7}, total_contacts=11, **fields)
    life.reads("executed", {"completed": 5, "ringing": 2}, total_contacts=11, **fields)
    return life


def test_a_body_is_the_contracts_example_byte_for_byte(example: "Life") -> None:
    event = example.events[-1]

    expected = {
        "specversion": "1.0",
        "id": event.id,
        "source": "/sources/bolna-prod",
        "type": "batch.status_changed",
        "subject": "3c90c3cc0d444b5088888dd25736052a",
        "time": "2026-01-29T08:31:02.114Z",
        "timestamp": "2026-01-29T08:31:02.114Z",
        "datacontenttype": "application/json",
        "data": {
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
            "changes": {"ringing": -5, "completed": 5},
            "total_contacts": 11,
            "valid_contacts": 7,
            "progress": {"total": 7, "finished": 5, "open": 2, "percent": 71.4},
            "conditions": [],
            "forecast": None,
            "scheduled_at": "2026-01-29T08:30:00.000Z",
            "observed_at": "2026-01-29T08:31:02.114Z",
            "previous_observed_at": "2026-01-29T08:30:32.114Z",
        },
    }
    assert json.dumps(expected, separators=(",", ":")).encode() == event.body


def test_unknown_values_are_null(life: "Life") -> None:
    life.reads("ACTIVE")

    data = life.data("batch.first_seen")

    unknown = ("outcome", "counts", "total_contacts", "valid_contacts", "scheduled_at")
    assert {name: data[name] for name in unknown} == dict.fromkeys(unknown)
    assert data["batch"]["name"] is None
    assert data["changes"] == {}
    assert data["settled"] is False
    assert data["progress"] == {"total": None, "finished": None, "open": None, "percent": None}


def test_empty_counts_are_not_unknown_ones(life: "Life") -> None:
    life.reads("queued", {})

    assert life.data("batch.first_seen")["counts"] == {}


def test_only_end_events_have_a_duration_and_late(life: "Life") -> None:
    life.reads("running", {"ringing": 1})
    life.reads("completed", {"completed": 1})

    plain = set(life.data("batch.status_changed"))

    own = {"duration_seconds", "late", "settled_by", "unknown_call_statuses"}
    assert set(life.data("batch.completed")) - plain == own
    assert set(life.data("batch.first_seen")) == plain


def test_unreachable_events_add_error_and_since(life: "Life") -> None:
    life.reads()
    for _ in range(5):
        life.fails(FailureKind.NOT_FOUND, 404)

    plain = set(life.data("batch.first_seen"))

    assert set(life.data("batch.unreachable")) - plain == {"error", "since"}


@pytest.mark.parametrize(
    ("event_type", "own"),
    [
        ("batch.stalled", {"since", "unknown_call_statuses"}),
        ("batch.progressing", {"since"}),
    ],
)
def test_a_stall_and_its_end_add_since_when_nothing_moved(
    life: "Life", event_type: str, own: set[str]
) -> None:
    life.reads(counts={"ringing": 1})
    life.reads(counts={"ringing": 1}, after=timedelta(minutes=15))
    life.reads(counts={"completed": 1})

    plain = set(life.data("batch.first_seen"))

    assert set(life.data(event_type)) - plain == own


def test_every_event_of_a_batch_tells_its_pace_and_end(life: "Life") -> None:
    for finished in (0, 10, 20, 30):
        life.reads(counts={"completed": finished}, valid_contacts=70)

    assert life.data("batch.counts_changed")["forecast"] == {
        "calls_per_minute": 20.0,
        "ends_at": "2026-01-29T08:33:30.000Z",
    }


def test_an_end_that_nobody_can_tell_is_null(life: "Life") -> None:
    for finished in (0, 10, 20, 30):
        life.reads(counts={"completed": finished}, valid_contacts=2**40)

    forecast = life.data("batch.counts_changed")["forecast"]

    assert forecast == {"calls_per_minute": 20.0, "ends_at": None}


def test_a_batch_that_cannot_be_read_has_no_forecast(life: "Life") -> None:
    for finished in (0, 10, 20, 30):
        life.reads(counts={"completed": finished}, valid_contacts=70)
    for _ in range(5):
        life.fails(FailureKind.NOT_FOUND, 404)

    assert life.data("batch.unreachable")["forecast"] is None


def test_the_name_given_at_registration_wins(new_life: NewLife, batch: MakeBatch) -> None:
    life = new_life(batch=batch(name="March reminders"))

    life.reads("queued", name="customers.csv")

    assert life.data("batch.first_seen")["batch"]["name"] == "March reminders"


# labels


def test_labels_are_the_sources_then_the_batchs(batch: MakeBatch, source: MakeSource) -> None:
    joined = labels_of(
        batch(labels={"team": "collections", "env": "test"}),
        source(labels={"env": "prod", "region": "in"}),
    )

    assert joined == {"team": "collections", "env": "test", "region": "in"}


def test_at_most_32_labels_stay_the_batchs_first(batch: MakeBatch, source: MakeSource) -> None:
    own = {f"own-{n}": "x" for n in range(20)}

    joined = labels_of(batch(labels=own), source(labels={f"its-{n}": "x" for n in range(32)}))

    assert len(joined) == LABELS_LIMIT == 32
    assert own.items() <= joined.items()


# sources and receivers


def test_a_sources_event_has_data_source_and_no_batch(source: MakeSource) -> None:
    account = source(labels={"env": "prod"})
    since = AT - timedelta(minutes=2)

    event = compose(
        EventType.SOURCE_FAILING,
        source_subject(account),
        sequence=3,
        at=AT,
        data={**source_data(account), **failure_data(FailureKind.UNAUTHORIZED, 401, since)},
    )

    document = json.loads(event.body)
    assert (document["source"], document["subject"]) == ("/sources/bolna-prod", "bolna-prod")
    assert document["data"] == {
        "source": {"name": "bolna-prod", "provider": "bolna", "labels": {"env": "prod"}},
        "sequence": 3,
        "observed_at": "2026-01-29T08:31:02.114Z",
        "error": {"kind": "unauthorized", "status_code": 401},
        "since": "2026-01-29T08:29:02.114Z",
    }


def test_a_receivers_event_has_data_receiver_and_no_batch() -> None:
    event = compose(
        EventType.TEST,
        receiver_subject(3, "ops", "the receiver's key"),
        sequence=1,
        at=AT,
        data=receiver_data("ops", "slack"),
    )

    document = json.loads(event.body)
    assert (document["type"], document["source"]) == ("monitor.test", "/receivers/ops")
    assert document["data"] == {
        "receiver": {"name": "ops", "kind": "slack"},
        "sequence": 1,
        "observed_at": "2026-01-29T08:31:02.114Z",
    }
    assert (event.subject_kind, event.subject_row) == ("receiver", 3)


def test_what_is_not_known_of_a_failure_is_null() -> None:
    assert failure_data(None, None, None) == {
        "error": {"kind": None, "status_code": None},
        "since": None,
    }


# size


def words(number: int, *, first: int = 0, fill: str) -> list[str]:
    """Make distinct words as long as a status may be, in bytes."""
    room = (STATUS_LIMIT - 2) // len(fill.encode())
    return [f"{n:02}" + fill * room for n in range(first, first + number)]


def longest_body(
    new_life: NewLife, batch: MakeBatch, source: MakeSource, *, fill: str, labels: str
) -> int:
    """Play the largest change of a batch with 32 labels; return the length of its body."""
    life = new_life(
        batch=batch(
            id="🙂" * ID_LIMIT,
            source="s" * 63,
            labels={f"{n:02}" + "l" * 61: labels * 256 for n in range(LABELS_LIMIT)},
        ),
        source=source(name="s" * 63),
    )
    most = 2**63 - 1
    before, after = words(2, fill=fill)
    fields: dict[str, Any] = {
        "name": fill * NAME_LIMIT,
        "total_contacts": most,
        "valid_contacts": most,
        "phase": Phase.UNKNOWN,
        "scheduled_at": AT,
    }
    old = dict.fromkeys(words(COUNTS_LIMIT, fill=fill), most // COUNTS_LIMIT)
    new = dict.fromkeys(words(COUNTS_LIMIT, first=50, fill=fill), most // COUNTS_LIMIT)
    life.reads(before, old, **fields)
    life.reads(after, new, **fields)
    assert life.data("batch.counts_changed")["changes"].keys() == {*old, *new}
    return max(len(event.body) for event in life.events)


@pytest.mark.parametrize(
    "fill",
    [
        pytest.param("x", id="plain"),
        pytest.param('"', id="escaped"),
        pytest.param("🙂", id="astral"),
    ],
)
def test_the_largest_body_stays_under_64_kib(
    new_life: NewLife, batch: MakeBatch, source: MakeSource, fill: str
) -> None:
    assert longest_body(new_life, batch, source, fill=fill, labels="🙂") < BODY_LIMIT
