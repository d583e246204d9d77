import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.batch import Outcome, Phase, Reading
from monitor.core.errors import PollError
from monitor.core.failure import FailureKind
from monitor.providers.bolna import parse

Payload = Callable[[str], bytes]
Encode = Callable[..., bytes]

ID = "3c90c3cc0d444b5088888dd25736052a"

texts = st.text("aZ7.-_ \0\ud800\u00e4\U0001f642", max_size=70)
"""A small alphabet: the first use of the whole of Unicode takes seconds to set up."""

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | texts
    | st.sampled_from(["running", "completed", "7", "2024-02-29T04:22:89Z"]),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=20,
)


def failure(body: bytes, batch_id: str = "b1") -> FailureKind:
    with pytest.raises(PollError) as caught:
        parse(body, batch_id)
    return caught.value.kind


def test_the_documented_answer_is_a_reading(payload: Payload) -> None:
    reading = parse(payload("bolna-get-batch.json"), ID)

    assert reading == Reading(
        status="scheduled",
        phase=Phase.PENDING,
        counts={"completed": 1, "ringing": 10, "in-progress": 15},
        open_calls=25,
        live_calls=25,
        total_contacts=11,
        valid_contacts=7,
        name="customers.csv",
        scheduled_at=datetime(2024, 1, 29, 8, 30, tzinfo=UTC),
    )


def test_the_older_generation_ends_with_executed_while_calls_are_open(payload: Payload) -> None:
    reading = parse(payload("bolna-older-executed.json"), ID)

    assert (reading.status, reading.phase) == ("executed", Phase.ENDED)
    assert reading.outcome is Outcome.COMPLETED
    assert reading.open_calls == 2
    assert reading.scheduled_at == datetime(2024, 1, 29, 8, 30, tzinfo=UTC)


def test_the_newer_generation_runs_while_all_calls_are_final(payload: Payload) -> None:
    reading = parse(payload("bolna-newer-running.json"), ID)

    assert (reading.phase, reading.outcome) == (Phase.RUNNING, None)
    assert (reading.counts, reading.open_calls) == ({"completed": 1}, 0)
    assert reading.scheduled_at is None


def test_before_dispatch_the_counts_are_unknown(payload: Payload) -> None:
    reading = parse(payload("bolna-newer-created.json"), ID)

    assert (reading.phase, reading.counts, reading.open_calls) == (Phase.PENDING, None, 0)
    assert (reading.valid_contacts, reading.total_contacts) == (7, 11)


@pytest.mark.parametrize(
    ("word", "phase", "outcome"),
    [
        ("created", Phase.PENDING, None),
        ("processed", Phase.PENDING, None),
        ("scheduled", Phase.PENDING, None),
        ("queued", Phase.PENDING, None),
        ("running", Phase.RUNNING, None),
        ("executed", Phase.ENDED, Outcome.COMPLETED),
        ("completed", Phase.ENDED, Outcome.COMPLETED),
        ("stopped", Phase.ENDED, Outcome.CANCELLED),
        ("canceled", Phase.ENDED, Outcome.CANCELLED),
        ("cancelled", Phase.ENDED, Outcome.CANCELLED),
        ("failed", Phase.ENDED, Outcome.FAILED),
        ("exploded", Phase.UNKNOWN, None),
        ("ACTIVE", Phase.UNKNOWN, None),
    ],
)
@pytest.mark.parametrize(
    "spell", [str, str.upper, str.title, "_".join, "-".join, " ".join], ids=lambda f: f.__name__
)
def test_a_status_means_the_same_in_every_spelling(
    bolna_batch: Encode,
    word: str,
    phase: Phase,
    outcome: Outcome | None,
    spell: Callable[[str], str],
) -> None:
    reading = parse(bolna_batch(status=spell(word)), "b1")

    assert (reading.status, reading.phase, reading.outcome) == (spell(word), phase, outcome)


@pytest.mark.parametrize(
    "word",
    ["completed", "no-answer", "busy", "failed", "canceled", "stopped", "error", "balance-low"],
)
@pytest.mark.parametrize("spell", [str, str.upper, lambda w: w.replace("-", "_")])
def test_final_call_statuses_are_not_open(
    bolna_batch: Encode, word: str, spell: Callable[[str], str]
) -> None:
    reading = parse(bolna_batch(execution_status={spell(word): 3}), "b1")

    assert reading.counts == {spell(word): 3}
    assert (reading.open_calls, reading.unknown_call_statuses) == (0, ())


@pytest.mark.parametrize(
    "word",
    [
        *("prepared", "scheduled", "queued", "rescheduled", "initiated", "initiate", "ringing"),
        *("in-progress", "call-disconnected", "running"),
    ],
)
@pytest.mark.parametrize("spell", [str, str.upper, lambda w: w.replace("-", " ")])
def test_open_call_statuses_are_open(
    bolna_batch: Encode, word: str, spell: Callable[[str], str]
) -> None:
    reading = parse(bolna_batch(execution_status={spell(word): 3, "completed": 1}), "b1")

    assert (reading.open_calls, reading.unknown_call_statuses) == (3, ())


def test_an_unknown_call_status_is_open_kept_raw_and_named(bolna_batch: Encode) -> None:
    reading = parse(bolna_batch(execution_status={"Voice-Mail": 2, "busy": 1}), "b1")

    assert reading.counts == {"Voice-Mail": 2, "busy": 1}
    assert (reading.open_calls, reading.unknown_call_statuses) == (2, ("Voice-Mail",))


def test_two_spellings_of_one_call_status_stay_two(bolna_batch: Encode) -> None:
    calls = {"balance-low": 1, "balance_low": 2, "in-progress": 0}

    assert parse(bolna_batch(execution_status=calls), "b1").counts == calls


@pytest.mark.parametrize(
    ("calls", "counts"),
    [
        (None, None),
        ({}, {}),
        ({"busy": None}, {}),
        ({"busy": "2", "error": 3.0}, {"busy": 2, "error": 3}),
    ],
)
def test_unknown_counts_and_none_at_all_stay_apart(
    bolna_batch: Encode, calls: object, counts: object
) -> None:
    assert parse(bolna_batch(execution_status=calls), "b1").counts == counts


def test_the_status_alone_makes_a_reading() -> None:
    assert parse(b'{"status": "running"}', "b1") == Reading(status="running", phase=Phase.RUNNING)


@pytest.mark.parametrize(
    "fields",
    [
        {"scheduled_at": "2024-02-29T04:22:89Z"},
        {"scheduled_at": ["soon"]},
        {"file_name": {"a": 1}},
        {"updated_at": "\ud800", "from_phone_number": -1, "error": [None] * 1000},
        {"humanized_created_at": 10**400, "x": float("nan"), "y": "\0"},
        {"id": "another"},
    ],
)
def test_nonsense_where_nothing_hangs_on_it_is_tolerated(
    bolna_batch: Encode, fields: dict[str, Any]
) -> None:
    reading = parse(bolna_batch(**fields), "b1")

    assert reading == Reading(status="running", phase=Phase.RUNNING)


@pytest.mark.parametrize(
    "fields",
    [
        {"batch_id": "b2"},
        {"status": None},
        {"status": 7},
        {"status": "x" * 65},
        {"status": "run\0ning"},
        {"status": "\ud800"},
        {"file_name": "a\0.csv"},
        {"file_name": "\udc00"},
        {"total_contacts": True},
        {"total_contacts": "many"},
        {"valid_contacts": -1},
        {"valid_contacts": 2**63},
        {"valid_contacts": float("nan")},
        {"execution_status": []},
        {"execution_status": "completed"},
        {"execution_status": 7},
        {"execution_status": {"completed": True}},
        {"execution_status": {"completed": -1}},
        {"execution_status": {"completed": 1.5}},
        {"execution_status": {"completed": float("inf")}},
        {"execution_status": {"completed": "9" * 5000}},
        {"execution_status": {"completed": {"a": 1}}},
        {"execution_status": {"a\0": 1}},
        {"execution_status": {"\ud800": 1}},
        {"execution_status": {"": 1}},
        {"execution_status": {"x" * 65: 1}},
        {"execution_status": {f"word {n}": 1 for n in range(33)}},
        {"execution_status": {"busy": 2**63 - 1, "error": 1}},
    ],
)
def test_nonsense_that_the_state_would_hang_on_fails_the_poll(
    bolna_batch: Encode, fields: dict[str, Any]
) -> None:
    assert failure(bolna_batch(**fields)) is FailureKind.INVALID_BODY


@pytest.mark.parametrize("number", [b"1e999", b"-1e999", b"NaN", b"Infinity", b"9" * 5000])
def test_numbers_beyond_measure_fail_the_poll(number: bytes) -> None:
    body = b'{"status": "running", "total_contacts": ' + number + b"}"

    assert failure(body) is FailureKind.INVALID_BODY


def test_thirty_two_call_statuses_are_read(bolna_batch: Encode) -> None:
    reading = parse(bolna_batch(execution_status={f"word {n}": 1 for n in range(32)}), "b1")

    assert reading.open_calls == 32


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_nothing_but_a_poll_error(body: bytes) -> None:
    assert failure(body) is FailureKind.INVALID_BODY


@given(
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            (
                *("batch_id", "status", "file_name", "scheduled_at", "created_at"),
                *("total_contacts", "valid_contacts", "execution_status"),
            ),
            anything,
        ),
    )
)
def test_arbitrary_fields_make_a_sound_reading_or_a_poll_error(fields: dict[str, Any]) -> None:
    try:
        reading = parse(json.dumps(fields).encode(), "b1")
    except PollError:
        return
    total = sum((reading.counts or {}).values())
    assert 0 <= reading.open_calls <= total <= 2**63 - 1
    assert len((reading.status + (reading.name or "")).encode()) < 4 * 320


@pytest.mark.parametrize("field", ["error", "message", "detail"])
def test_an_error_that_has_a_status_too_is_no_batch(field: str) -> None:
    with pytest.raises(PollError) as caught:
        parse(f'{{"status": "failed", "{field}": "maintenance"}}'.encode(), "b1")

    assert caught.value.kind is FailureKind.INVALID_BODY
