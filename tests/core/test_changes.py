from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from monitor.core.batch import Batch, Failures, Phase, Watch
from monitor.core.event import EventType
from monitor.core.failure import FailureKind
from monitor.core.observe import poll_time
from tests.core.names import (
    CANCELLED,
    COMPLETED,
    COUNTS,
    FAILED,
    FIRST,
    REACHABLE,
    REOPENED,
    START,
    STATUS,
    UNKNOWN,
    UNREACHABLE,
)

if TYPE_CHECKING:
    from tests.core.conftest import Life

MakeBatch = Callable[..., Batch]


def test_changes_are_signed_and_per_status(life: "Life") -> None:
    life.reads("running", {"ringing": 7, "busy": 1})

    assert life.reads("running", {"completed": 5, "ringing": 2, "busy": 1}) == [COUNTS]
    assert life.data(COUNTS)["changes"] == {"completed": 5, "ringing": -5}


def test_a_status_that_vanishes_is_a_change_to_zero(life: "Life") -> None:
    life.reads("running", {"ringing": 2, "completed": 1})
    life.reads("running", {"completed": 1})

    assert life.data(COUNTS)["changes"] == {"ringing": -2}
    assert life.data(COUNTS)["counts"] == {"completed": 1}


def test_from_unknown_to_known_is_a_change_from_zero(life: "Life") -> None:
    life.reads("running", None)

    assert life.reads("running", {"ringing": 3}) == [COUNTS]
    assert life.data(COUNTS)["changes"] == {"ringing": 3}
    assert life.data(COUNTS)["previous_counts"] is None


def test_missing_counts_leave_the_last_known_ones_standing(life: "Life") -> None:
    life.reads("running", {"ringing": 3})

    assert life.reads("running", None) == []
    assert life.reads("PAUSED", None) == [STATUS]
    assert life.data(STATUS)["counts"] == {"ringing": 3}
    assert life.reads("PAUSED", {"ringing": 2, "busy": 1}) == [COUNTS]
    assert life.data(COUNTS)["changes"] == {"ringing": -1, "busy": 1}


def test_empty_counts_after_others_are_missing_ones(life: "Life") -> None:
    life.reads("running", {"ringing": 3})

    assert life.reads("running", {}) == []
    assert life.known.counts == {"ringing": 3}
    assert life.known.open_calls == 3


def test_null_to_empty_and_back_is_no_change(life: "Life") -> None:
    life.reads("running", None)

    assert life.reads("running", {}) == []
    assert life.reads("running", None) == []
    assert life.known.counts == {}
    assert life.reads("running", {}) == []


def test_a_zero_against_an_absent_key_is_no_change(life: "Life") -> None:
    life.reads("running", {"completed": 1})

    assert life.reads("running", {"completed": 1, "busy": 0}) == []
    assert life.reads("running", {"completed": 1}) == []


def test_zeros_against_null_are_no_change(life: "Life") -> None:
    life.reads("running", None)

    assert life.reads("running", {"completed": 0}) == []
    assert life.reads("running", {}) == []


@pytest.mark.parametrize("total", ["total_contacts", "valid_contacts"])
def test_a_change_of_totals_alone_has_no_changes(life: "Life", total: str) -> None:
    ten: dict[str, Any] = {total: 10}
    eleven: dict[str, Any] = {total: 11}
    life.reads("running", {"ringing": 3}, **ten)

    assert life.reads("running", {"ringing": 3}, **eleven) == [COUNTS]
    assert life.data(COUNTS)["changes"] == {}
    assert life.data(COUNTS)[total] == 11


def test_a_total_that_becomes_known_is_a_change(life: "Life") -> None:
    life.reads("running")

    assert life.reads("running", total_contacts=11) == [COUNTS]


def test_a_missing_total_leaves_the_last_known_one_standing(life: "Life") -> None:
    life.reads("running", total_contacts=11, valid_contacts=7)

    assert life.reads("running") == []
    assert (life.known.total_contacts, life.known.valid_contacts) == (11, 7)


def test_calls_that_go_back_to_open_are_an_ordinary_change(life: "Life") -> None:
    life.reads("running", {"no-answer": 2})

    assert life.reads("running", {"rescheduled": 2}) == [COUNTS]
    assert life.data(COUNTS)["changes"] == {"no-answer": -2, "rescheduled": 2}


# status_changed, status_unknown


def test_a_status_that_differs_from_the_last_readings_is_a_change(life: "Life") -> None:
    life.reads("ACTIVE")

    assert life.reads("PAUSED") == [STATUS]
    data = life.data(STATUS)
    assert (data["previous_status"], data["status"]) == ("ACTIVE", "PAUSED")
    assert (data["previous_phase"], data["phase"]) == ("running", "paused")


def test_the_raw_status_is_compared_and_shown(life: "Life", reading: Callable[..., Any]) -> None:
    life.reads("ACTIVE")

    assert life.takes(reading("Active", phase=Phase.RUNNING)) == [STATUS]
    assert life.data(STATUS)["status"] == "Active"
    assert life.data(STATUS)["phase"] == life.data(STATUS)["previous_phase"] == "running"


def test_skipped_states_are_normal(life: "Life") -> None:
    life.reads("INIT")

    assert life.reads("COMPLETE") == [STATUS]


def test_an_unknown_status_is_told_once_per_word(life: "Life") -> None:
    life.reads("running")

    assert life.reads("PONDERING") == [STATUS, UNKNOWN]
    assert life.data(UNKNOWN)["status"] == "PONDERING"
    assert life.data(UNKNOWN)["phase"] == "unknown"
    assert life.data(UNKNOWN)["outcome"] is None
    assert life.reads("PONDERING") == []
    assert life.reads("running") == [STATUS]
    assert life.reads("PONDERING") == [STATUS]
    assert life.reads("BROODING") == [STATUS, UNKNOWN]


@pytest.mark.parametrize("spelling", ["on hold", "On-Hold", "ON_HOLD", "onhold"])
def test_another_spelling_of_an_unknown_word_is_the_same_word(life: "Life", spelling: str) -> None:
    life.reads("on-hold")

    assert life.reads(spelling) == [STATUS]


def test_an_unknown_status_at_the_first_reading_is_told(life: "Life") -> None:
    assert life.reads("PONDERING") == [FIRST, UNKNOWN]


def test_an_unknown_status_is_not_final(life: "Life") -> None:
    life.reads("GONE", {"completed": 1})

    assert life.reads("GONE", {"completed": 1}) == []
    assert not life.settled


def test_an_unknown_call_status_is_only_logged(life: "Life", reading: Callable[..., Any]) -> None:
    strange = reading("running", {"pondering": 1}, unknown_call_statuses=("pondering",))

    assert life.takes(strange) == [FIRST]
    assert life.takes(strange) == []


def test_a_batch_remembers_only_so_many_unknown_words(life: "Life") -> None:
    for number in range(300):
        life.reads(f"word {number}")

    assert len(life.known.unknown_statuses) == 100
    assert life.known.unknown_statuses[-1] == "word 299"


# events of one poll


def test_events_of_one_poll_come_in_the_order_of_the_table(life: "Life") -> None:
    life.fails(FailureKind.NOT_FOUND, 404)
    for _ in range(4):
        life.fails(FailureKind.NOT_FOUND, 404)

    assert life.reads("completed", {"failed": 2}) == [FIRST, COMPLETED, REACHABLE]
    for _ in range(5):
        life.fails(FailureKind.NOT_FOUND, 404)
    assert life.reads("PONDERING", {"ringing": 2}) == [
        COUNTS,
        STATUS,
        UNKNOWN,
        REOPENED,
        REACHABLE,
    ]
    assert list(EventType)[:10] == [
        FIRST,
        COUNTS,
        STATUS,
        UNKNOWN,
        COMPLETED,
        FAILED,
        CANCELLED,
        REOPENED,
        UNREACHABLE,
        REACHABLE,
    ]


def test_events_of_one_poll_share_one_time(life: "Life") -> None:
    life.reads("running", {"ringing": 1})
    life.reads("completed", {"completed": 1})

    documents = [life.document(told) for told in (COUNTS, STATUS, COMPLETED)]

    assert {
        time
        for document in documents
        for time in (document["time"], document["timestamp"], document["data"]["observed_at"])
    } == {"2026-01-29T08:30:30.000Z"}
    assert {event.at for event in life.events[1:]} == {life.watch.observed_at}


def test_events_of_one_poll_all_carry_the_same_new_state(life: "Life") -> None:
    life.reads("running", {"ringing": 1}, total_contacts=1)
    life.reads("completed", {"completed": 1}, total_contacts=2)

    told = [life.data(event) for event in (COUNTS, STATUS, COMPLETED)]

    own = {"sequence", "duration_seconds", "late", "settled_by", "unknown_call_statuses"}
    states = [{key: value for key, value in data.items() if key not in own} for data in told]
    assert states[0] == states[1] == states[2]
    assert states[0]["settled"] is True
    assert states[0]["changes"] == {"ringing": -1, "completed": 1}


def test_previous_fields_are_the_last_readings(life: "Life") -> None:
    life.reads("queued", {"queued": 1})
    life.fails()
    life.reads("running", {"ringing": 1})
    life.reads("PAUSED", {"ringing": 1})

    data = life.data(STATUS)

    assert data["previous_status"] == "running"
    assert data["previous_phase"] == "running"
    assert data["previous_counts"] == {"ringing": 1}
    assert data["previous_observed_at"] == "2026-01-29T08:31:00.000Z"
    assert data["observed_at"] == "2026-01-29T08:31:30.000Z"


def test_the_previous_reading_may_be_a_silent_one(life: "Life") -> None:
    life.reads("running")
    life.reads("running")
    life.reads("PAUSED")

    assert life.data(STATUS)["previous_observed_at"] == "2026-01-29T08:30:30.000Z"


@pytest.mark.parametrize("after", [timedelta(), timedelta(hours=-1), timedelta(microseconds=400)])
def test_no_two_readings_share_a_time_even_when_the_clock_stands_still_or_steps_back(
    life: "Life", after: timedelta
) -> None:
    for status in ("ACTIVE", "PAUSED", "ACTIVE"):
        life.reads(status, after=after)

    times = [event.at for event in life.events]
    assert times == sorted(set(times))
    assert life.data(STATUS)["observed_at"] > life.data(STATUS)["previous_observed_at"]


def test_a_failed_poll_and_a_reading_do_not_share_a_time_either(life: "Life") -> None:
    for _ in range(5):
        life.fails(FailureKind.NOT_FOUND, 404, after=timedelta())
    life.reads(after=timedelta())

    assert life.events[0].at < life.events[1].at


def test_times_are_whole_milliseconds(batch: MakeBatch) -> None:
    watch = Watch(batch=batch())
    now = START + timedelta(microseconds=114_999)

    assert poll_time(watch, now) == START + timedelta(milliseconds=114)


def test_a_gap_is_told_as_one_change(life: "Life") -> None:
    life.reads("queued", {"queued": 10})

    told = life.reads("completed", {"completed": 9, "busy": 1}, after=timedelta(days=3))

    assert told == [COUNTS, STATUS, COMPLETED]
    assert life.data(COUNTS)["changes"] == {"queued": -10, "completed": 9, "busy": 1}


@pytest.mark.parametrize(
    "fields", [{"name": "b.csv"}, {"scheduled_at": None}, {"name": None, "scheduled_at": None}]
)
def test_a_name_or_a_scheduled_time_is_no_change(life: "Life", fields: dict[str, Any]) -> None:
    life.reads("queued", name="a.csv", scheduled_at=START)

    assert life.reads("queued", **fields) == []


def test_a_name_that_vanishes_stays_known(life: "Life") -> None:
    life.reads("queued", name="a.csv")
    life.reads("running")

    assert life.data(STATUS)["batch"]["name"] == "a.csv"


def test_a_batch_removed_and_added_goes_on_with_its_sequence_from_a_new_first_reading(
    life: "Life",
) -> None:
    life.reads("queued")
    life.reads("running")
    life.watch = replace(life.watch, known=None, observed_at=None, failures=Failures())

    assert life.reads("running") == [FIRST]
    assert life.data(FIRST)["sequence"] == 3
    assert life.data(FIRST)["previous_status"] is None
    assert life.data(FIRST)["previous_observed_at"] is None
