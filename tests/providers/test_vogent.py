import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.batch import Outcome, Phase, Reading
from monitor.core.errors import PollError
from monitor.core.failure import FailureKind
from monitor.core.schedule import Schedule, Slot
from monitor.providers.vogent import parse

Payload = Callable[[str], bytes]


def job(**fields: Any) -> bytes:
    return json.dumps({"id": "j1", "status": "ACTIVE"} | fields).encode()


def test_the_documented_answer_is_a_reading(payload: Payload) -> None:
    reading = parse(payload("vogent-get-batch-dial-job.json"), "<string>")

    assert reading == Reading(status="INIT", phase=Phase.PENDING, name="<string>")


@pytest.mark.parametrize(
    ("word", "phase", "outcome"),
    [
        ("INIT", Phase.PENDING, None),
        ("ACTIVE", Phase.RUNNING, None),
        ("PAUSED", Phase.PAUSED, None),
        ("COMPLETE", Phase.ENDED, Outcome.COMPLETED),
        ("CANCELLED", Phase.ENDED, Outcome.CANCELLED),
        ("COMPLETED", Phase.UNKNOWN, None),
        ("RUNNING", Phase.UNKNOWN, None),
    ],
)
@pytest.mark.parametrize("spell", [str, str.lower, str.title, "_".join], ids=lambda f: f.__name__)
def test_a_status_means_the_same_in_every_spelling(
    word: str, phase: Phase, outcome: Outcome | None, spell: Callable[[str], str]
) -> None:
    reading = parse(job(status=spell(word)), "j1")

    assert (reading.status, reading.phase, reading.outcome) == (spell(word), phase, outcome)


@pytest.mark.parametrize(
    "schedule", [None, [], "always", {"days": 7}, {"days": [{"dayOfWeek": -1}], "timezone": "UTC"}]
)
def test_any_schedule_is_tolerated(schedule: object) -> None:
    reading = parse(job(schedule=schedule, maxConcurrentDials="many"), "j1")

    assert reading == Reading(status="ACTIVE", phase=Phase.RUNNING)


def test_a_schedule_is_read() -> None:
    nine_to_five = {"startTime": "09:00", "endTime": "17:00"}
    days = [{"dayOfWeek": 1, "timeSlots": [nine_to_five]}]

    reading = parse(job(schedule={"days": days, "timezone": "Europe/Berlin"}), "j1")

    slots = (Slot(day=1, start=540, end=1020),)
    assert reading.schedule == Schedule(zone="Europe/Berlin", slots=slots)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"id": "j1"}',
        job(id="j2"),
        job(status=None),
        job(status=["ACTIVE"]),
        job(name="\ud800"),
        job()[:-4],
    ],
)
def test_what_cannot_be_the_job_fails_the_poll(body: bytes) -> None:
    with pytest.raises(PollError) as caught:
        parse(body, "j1")

    assert caught.value.kind is FailureKind.INVALID_BODY


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_nothing_but_a_poll_error(body: bytes) -> None:
    with pytest.raises(PollError):
        parse(body, "j1")


def test_an_answer_without_an_id_is_no_job() -> None:
    with pytest.raises(PollError) as caught:
        parse(b'{"status": "COMPLETE"}', "j1")

    assert caught.value.kind is FailureKind.INVALID_BODY
