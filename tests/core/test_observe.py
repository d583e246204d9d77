from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.batch import Batch, Failures, Origin, Phase, SettledBy, Watch
from monitor.core.event import EventType
from monitor.core.failure import FailureKind
from monitor.core.observe import poll_time
from tests.lives.stage import stored

if TYPE_CHECKING:
    from tests.core.conftest import Life

NewLife = Callable[..., "Life"]
MakeBatch = Callable[..., Batch]

START = datetime(2026, 1, 29, 8, 30, tzinfo=UTC)
INTERVAL = timedelta(seconds=30)
MOMENT = timedelta(milliseconds=1)
STILL = timedelta(minutes=15)
FIRST, COUNTS, STATUS, UNKNOWN = (
    "batch.first_seen",
    "batch.counts_changed",
    "batch.status_changed",
    "batch.status_unknown",
)
COMPLETED, FAILED, CANCELLED = "batch.completed", "batch.failed", "batch.cancelled"
STALLED, PROGRESSING, OVERDUE = "batch.stalled", "batch.progressing", "batch.overdue"
REOPENED, UNREACHABLE, REACHABLE = "batch.reopened", "batch.unreachable", "batch.reachable"
ENDS = {COMPLETED, FAILED, CANCELLED}


# settled, by counts


def test_queued_to_executed_with_open_calls_is_a_status_change_and_no_end(life: "Life") -> None:
    life.reads("queued", {"ringing": 7})

    assert life.reads("executed", {"ringing": 7}) == [STATUS]
    assert not life.settled


def test_when_the_last_call_ends_the_batch_is_completed(life: "Life") -> None:
    life.reads("queued", {"ringing": 7})
    life.reads("executed", {"completed": 5, "ringing": 2})

    assert life.reads("executed", {"completed": 6, "no-answer": 1}) == [COUNTS, COMPLETED]
    assert life.settled


def test_a_final_status_with_known_counts_and_no_open_call_settles_at_once(life: "Life") -> None:
    life.reads("running", {"ringing": 2})

    assert life.reads("completed", {"busy": 2}) == [COUNTS, STATUS, COMPLETED]


def test_counts_without_open_calls_do_not_end_a_batch_that_runs(life: "Life") -> None:
    life.reads("running", {"ringing": 1})

    assert life.reads("running", {"completed": 1}) == [COUNTS]
    assert life.reads("running", {"completed": 1}) == []
    assert life.reads("completed", {"completed": 1}) == [STATUS, COMPLETED]


@pytest.mark.parametrize(
    ("status", "end", "outcome"),
    [
        ("completed", COMPLETED, "completed"),
        ("failed", FAILED, "failed"),
        ("stopped", CANCELLED, "cancelled"),
    ],
)
def test_a_batch_ends_by_its_outcome(life: "Life", status: str, end: str, outcome: str) -> None:
    life.reads("running", {"completed": 1})

    assert life.reads(status, {"completed": 1}) == [STATUS, end]
    assert life.data(end)["outcome"] == outcome
    assert life.data(end)["settled"] is True


# settled, without counts


def test_without_counts_the_second_final_reading_settles(life: "Life") -> None:
    for status in ("ACTIVE", "PAUSED", "ACTIVE"):
        life.reads(status)

    assert life.reads("COMPLETE") == [STATUS]
    assert not life.settled
    assert life.reads("COMPLETE") == [COMPLETED]
    assert life.settled


def test_those_two_readings_are_at_least_nine_tenths_of_an_interval_apart(life: "Life") -> None:
    life.reads("ACTIVE")
    life.reads("COMPLETE")

    assert life.reads("COMPLETE", after=INTERVAL * 0.5) == []
    assert life.reads("COMPLETE", after=INTERVAL * 0.4 - MOMENT) == []
    assert life.reads("COMPLETE", after=MOMENT) == [COMPLETED]


def test_an_empty_map_counts_as_no_counts_when_settling(life: "Life") -> None:
    life.reads("running", {})

    assert life.reads("completed", {}) == [STATUS]
    assert life.reads("completed", None) == [COMPLETED]


def test_only_zeros_count_as_an_empty_map_when_settling(life: "Life") -> None:
    life.reads("running", {"ringing": 0})

    assert life.reads("completed", {"completed": 0}) == [STATUS]
    assert life.reads("completed", {"completed": 0}) == [COMPLETED]


def test_missing_counts_settle_when_the_last_known_hold_no_open_call(life: "Life") -> None:
    life.reads("running", {"completed": 7})

    assert life.reads("completed", None) == [STATUS]
    assert life.reads("completed", {}) == [COMPLETED]
    assert life.data(COMPLETED)["counts"] == {"completed": 7}


@pytest.mark.parametrize("counts", [None, {}])
def test_a_final_status_without_counts_settles_in_silence_after_known_open_calls(
    life: "Life", counts: dict[str, int] | None
) -> None:
    life.reads("running", {"completed": 5, "ringing": 2})

    assert life.reads("completed", counts) == [STATUS]
    assert [told for _ in range(29) for told in life.reads("completed", counts)] == []
    assert not life.settled
    assert life.reads("completed", counts) == [COMPLETED]
    assert life.data(COMPLETED)["settled_by"] == "silence"
    assert life.data(COMPLETED)["progress"]["open"] == 2
    assert life.reads("completed", {"completed": 7}) == [COUNTS]


@pytest.mark.parametrize(
    ("counts", "twice", "settled_by"),
    [
        ({"completed": 2}, False, "counts"),
        ({}, True, "confirmed"),
        ({"completed": 1, "queued": 1}, True, "confirmed"),
        ({"completed": 1, "rescheduled": 1}, True, "confirmed"),
    ],
)
def test_an_end_says_by_what_it_was_believed(
    life: "Life", counts: dict[str, int], twice: bool, settled_by: str
) -> None:
    life.reads("running", {})
    life.reads("stopped", counts)
    assert life.settled is not twice
    if twice:
        life.reads("stopped", counts)

    assert life.data(CANCELLED)["settled_by"] == settled_by


def test_where_nobody_says_who_is_live_a_cut_short_batch_waits_for_silence(life: "Life") -> None:
    life.reads("running", {"queued": 3})

    for _ in range(5):
        life.reads("stopped", {"queued": 3}, tells_live=False)
    assert not life.settled

    assert life.reads("stopped", {"queued": 3}, tells_live=False, parked_calls=3) == []
    assert life.reads("stopped", {"queued": 3}, tells_live=False, parked_calls=3) == [CANCELLED]


def test_a_silent_end_needs_no_word_of_the_stall_that_an_older_version_told(life: "Life") -> None:
    life.reads("running", {"queued": 3})
    life.reads("completed", {"queued": 3})
    stalled = replace(life.known, stalled_at=life.watch.observed_at)
    life.watch = replace(life.watch, known=stalled)

    assert life.reads("completed", {"queued": 3}, after=timedelta(minutes=15)) == [COMPLETED]
    assert life.known.stalled_at is None


@pytest.mark.parametrize("told", [STALLED, COMPLETED])
def test_a_stall_and_an_end_name_the_call_words_that_nobody_knows(life: "Life", told: str) -> None:
    status = "running" if told == STALLED else "completed"
    fields: dict[str, Any] = {
        "live_calls": 1,
        "open_calls": 1,
        "unknown_call_statuses": ("dozing",),
    }
    life.reads(status, {"dozing": 1}, **fields)
    life.reads(status, {"dozing": 1}, after=timedelta(minutes=15), **fields)

    assert life.data(told)["unknown_call_statuses"] == ["dozing"]


def test_a_reading_that_says_otherwise_between_the_two_starts_the_row_anew(life: "Life") -> None:
    life.reads("ACTIVE")
    life.reads("COMPLETE")
    life.reads("ACTIVE")

    assert life.reads("COMPLETE") == [STATUS]
    assert life.reads("COMPLETE") == [COMPLETED]


def test_a_reading_with_open_calls_between_the_two_ends_the_row(life: "Life") -> None:
    life.reads("running", {})
    life.reads("completed", {})
    life.reads("completed", {"ringing": 1})

    assert life.reads("completed", {}) == []
    assert life.reads("completed", {}) == []
    assert not life.settled


def test_a_failed_poll_between_the_two_changes_nothing(life: "Life") -> None:
    life.reads("ACTIVE")
    life.reads("COMPLETE")
    life.fails()

    assert life.reads("COMPLETE") == [COMPLETED]


def test_known_counts_settle_at_once_after_a_reading_without(life: "Life") -> None:
    life.reads("running", {})
    life.reads("completed", {})

    assert life.reads("completed", {"completed": 3}, after=MOMENT) == [COUNTS, COMPLETED]


# settled, from then on


def test_a_settled_batch_stays_settled(life: "Life") -> None:
    life.reads("running", {"completed": 2})
    life.reads("completed", {"completed": 2})

    assert life.reads("completed", {"completed": 2}) == []
    assert life.reads("completed", None) == []
    assert life.reads("completed", {}) == []
    assert life.reads("completed", {"completed": 3}) == [COUNTS]
    assert life.reads("executed", {"completed": 3}) == [STATUS]
    assert life.settled


def test_what_had_settled_and_turns_out_to_have_ended_otherwise_is_told(life: "Life") -> None:
    life.reads("queued", {"ringing": 2})
    life.reads("executed", {"completed": 2})
    life.reads("executed", {"completed": 2}, after=timedelta(hours=1))

    assert life.reads("stopped", {"completed": 2}) == [STATUS, CANCELLED]
    assert life.data(CANCELLED)["duration_seconds"] == 0
    assert life.reads("CANCELLED", {"completed": 2}) == [STATUS]


def test_a_settled_batch_is_reopened_by_an_open_call(life: "Life") -> None:
    life.reads("running", {"failed": 2})
    life.reads("completed", {"failed": 2})

    assert life.reads("completed", {"failed": 1, "rescheduled": 1}) == [COUNTS, REOPENED]
    assert life.data(REOPENED)["settled"] is False
    assert life.reads("completed", {"failed": 1, "completed": 1}) == [COUNTS, COMPLETED]


@pytest.mark.parametrize(("status", "told"), [("ACTIVE", [STATUS]), ("REVIVED", [STATUS, UNKNOWN])])
def test_a_settled_batch_is_reopened_by_a_status_that_is_not_final(
    life: "Life", status: str, told: list[str]
) -> None:
    life.reads("ACTIVE")
    life.reads("COMPLETE")
    life.reads("COMPLETE")

    assert life.reads(status) == [*told, REOPENED]
    assert life.reads("COMPLETE") == [STATUS]
    assert life.reads("COMPLETE") == [COMPLETED]


def test_a_batch_that_never_settled_is_not_reopened(life: "Life") -> None:
    life.reads("executed", {"ringing": 1})

    assert life.reads("running", {"ringing": 1}) == [STATUS]


# first_seen


def test_the_first_reading_is_the_baseline_and_no_change(life: "Life") -> None:
    assert life.reads("running", {"ringing": 3}, total_contacts=3) == [FIRST]
    assert life.data(FIRST)["changes"] == {}
    assert life.data(FIRST)["counts"] == {"ringing": 3}


def test_in_first_seen_every_previous_field_is_null(life: "Life") -> None:
    life.reads("running", {"ringing": 3}, total_contacts=3)

    data = life.data(FIRST)

    previous = {name: value for name, value in data.items() if name.startswith("previous_")}
    assert previous == {
        "previous_status": None,
        "previous_phase": None,
        "previous_counts": None,
        "previous_observed_at": None,
    }


def test_a_failed_poll_before_the_first_reading_leaves_it_the_first(life: "Life") -> None:
    life.fails()

    assert life.reads() == [FIRST]
    assert life.data(FIRST)["previous_observed_at"] is None


def test_a_batch_already_ended_when_first_seen_ends_late(life: "Life") -> None:
    assert life.reads("completed", {"completed": 2}) == [FIRST, COMPLETED]
    assert life.data(COMPLETED)["late"] is True
    assert life.data(COMPLETED)["duration_seconds"] is None


def test_a_batch_already_final_with_open_calls_when_first_seen_ends_late_when_it_settles(
    life: "Life",
) -> None:
    assert life.reads("executed", {"ringing": 2}) == [FIRST]
    assert life.reads("executed", {"completed": 2}) == [COUNTS, COMPLETED]
    assert life.data(COMPLETED)["late"] is True


def test_a_batch_already_final_without_counts_when_first_seen_ends_late_at_the_second_reading(
    life: "Life",
) -> None:
    assert life.reads("CANCELLED") == [FIRST]
    assert life.reads("CANCELLED") == [CANCELLED]
    assert life.data(CANCELLED)["late"] is True


def test_a_batch_seen_before_it_ended_does_not_end_late(life: "Life") -> None:
    life.reads("running", {"ringing": 2})
    life.reads("completed", {"completed": 2})

    assert life.data(COMPLETED)["late"] is False


def test_a_batch_found_first_and_already_ended_has_no_end_event(
    new_life: NewLife, batch: MakeBatch
) -> None:
    life = new_life(batch=batch(origin=Origin.DISCOVERED, found_first=True))

    assert life.reads("executed", {"completed": 2}) == [FIRST]
    assert life.settled
    assert life.reads("executed", {"completed": 2}) == []


def test_a_batch_found_first_whose_calls_move_ends_late(
    new_life: NewLife, batch: MakeBatch
) -> None:
    life = new_life(batch=batch(origin=Origin.DISCOVERED, found_first=True))

    assert life.reads("executed", {"ringing": 2}) == [FIRST]
    assert life.reads("executed", {"completed": 2}) == [COUNTS, COMPLETED]
    assert life.data(COMPLETED)["late"] is True


def test_a_discovered_batch_that_is_reopened_ends_as_any_other(
    new_life: NewLife, batch: MakeBatch
) -> None:
    life = new_life(batch=batch(origin=Origin.DISCOVERED, found_first=True))
    life.reads("completed", {"failed": 1})

    assert life.reads("completed", {"rescheduled": 1}) == [COUNTS, REOPENED]
    assert life.reads("completed", {"completed": 1}) == [COUNTS, COMPLETED]
    assert life.data(COMPLETED)["late"] is False


@pytest.mark.parametrize("origin", list(Origin))
def test_a_batch_that_runs_when_it_is_found_ends_with_an_event(
    new_life: NewLife, batch: MakeBatch, origin: Origin
) -> None:
    life = new_life(batch=batch(origin=origin))
    life.reads("running", {"ringing": 1})

    assert life.reads("completed", {"completed": 1}) == [COUNTS, STATUS, COMPLETED]


# duration_seconds


def test_the_duration_runs_from_the_first_reading_that_was_not_pending(life: "Life") -> None:
    life.reads("queued", {"queued": 1})
    life.reads("queued", {"queued": 1}, after=timedelta(hours=5))
    life.reads("running", {"ringing": 1})
    life.reads("running", {"ringing": 1}, after=timedelta(minutes=1))
    life.reads("completed", {"completed": 1}, after=timedelta(milliseconds=1500))

    assert life.data(COMPLETED)["duration_seconds"] == 61.5


def test_a_batch_that_went_straight_from_pending_to_its_end_took_no_time_we_saw(
    life: "Life",
) -> None:
    life.reads("queued", {"queued": 1})
    life.reads("completed", {"completed": 1})

    assert life.data(COMPLETED)["duration_seconds"] == 0


def test_a_batch_that_ended_before_it_was_seen_has_an_unknown_duration(life: "Life") -> None:
    life.reads("executed", {"ringing": 1})
    life.reads("executed", {"completed": 1})

    assert life.data(COMPLETED)["duration_seconds"] is None


def test_a_rerun_of_a_batch_that_had_ended_before_it_was_seen_has_a_duration(
    life: "Life",
) -> None:
    life.reads("completed", {"failed": 1})
    life.reads("queued", {"queued": 1})
    life.reads("running", {"ringing": 1})
    life.reads("completed", {"completed": 1}, after=timedelta(minutes=2))

    assert life.data(COMPLETED)["duration_seconds"] == 120
    assert life.data(COMPLETED)["late"] is False


# counts_changed


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


# snapshots


def test_a_snapshot_is_kept_of_a_reading_that_differs(life: "Life") -> None:
    life.reads("queued", {"queued": 2})
    life.reads("queued", {"queued": 2})
    life.reads("running", {"queued": 2})
    life.reads("running", {"queued": 1, "ringing": 1})
    life.reads("running", None)

    kept = [(shot.number, shot.known.status, shot.known.counts) for shot in life.snapshots]

    assert kept == [
        (1, "queued", {"queued": 2}),
        (2, "running", {"queued": 2}),
        (3, "running", {"queued": 1, "ringing": 1}),
    ]
    assert [shot.at for shot in life.snapshots] == [
        event.at for event in life.events if event.type in {FIRST, STATUS, COUNTS}
    ]


def test_a_batch_that_settles_without_moving_leaves_no_snapshot(life: "Life") -> None:
    life.reads("COMPLETE")
    life.reads("COMPLETE")

    assert life.settled
    assert len(life.snapshots) == 1
    assert life.watch.snapshots == 1


def test_an_unchanged_reading_leaves_what_is_known_untouched(life: "Life") -> None:
    life.reads("running", {"ringing": 2}, total_contacts=3)
    before = life.known

    life.reads("running", {"ringing": 2}, total_contacts=3)

    assert life.known is before


def test_what_is_known_tells_since_when_the_batch_is_quiet(life: "Life") -> None:
    life.reads("queued", {"queued": 1})
    life.reads("running", {"queued": 1})
    moved_at = life.watch.observed_at
    life.reads("running", {"queued": 1})

    assert life.known.changed_at == life.known.phase_since == moved_at


# properties

WORDS = ["queued", "running", "PAUSED", "executed", "completed", "failed", "stopped", "ODD", "odd"]
counts_maps = st.none() | st.dictionaries(
    st.sampled_from(["completed", "failed", "ringing", "rescheduled"]), st.integers(0, 3)
)
readings = st.fixed_dictionaries(
    {"status": st.sampled_from(WORDS), "counts": counts_maps},
    optional={
        "total_contacts": st.none() | st.integers(1, 3),
        "valid_contacts": st.none() | st.integers(1, 3),
        "name": st.none() | st.sampled_from(["a.csv", "b.csv"]),
    },
)
failures = st.fixed_dictionaries({"kind": st.sampled_from(FailureKind), "answered": st.booleans()})
steps = st.tuples(
    readings | failures, st.sampled_from([INTERVAL, INTERVAL * 0.5, timedelta(), -INTERVAL, STILL])
)
lives = st.lists(steps, max_size=25)
Step = tuple[dict[str, Any], timedelta]


def play(life: "Life", step: Step) -> list[str]:
    fields, after = step
    if "status" in fields:
        return life.reads(**fields, after=after)
    return life.fails(**fields, after=after)


def with_zeros_left_out(counts: Mapping[str, int] | None) -> dict[str, int]:
    return {status: number for status, number in (counts or {}).items() if number}


@settings(max_examples=50)
@given(lives)
def test_sequence_counts_the_events_from_1_without_gaps(
    new_life: NewLife, life_: list[Step]
) -> None:
    life = new_life()

    for step in life_:
        before = len(life.events)
        told = play(life, step)
        assert life.watch.sequence == before + len(told)

    assert [event.sequence for event in life.events] == list(range(1, len(life.events) + 1))
    assert len({event.id for event in life.events}) == len(life.events)


@settings(max_examples=50)
@given(lives)
def test_no_event_comes_without_the_difference_that_it_tells(
    new_life: NewLife, life_: list[Step]
) -> None:
    life = new_life()

    for step in life_:
        before = life.watch
        told = set(play(life, step))
        last, known = before.known, life.watch.known
        assert (FIRST in told) is (last is None and known is not None)
        if last is None or known is None:
            continue
        assert (STATUS in told) is (known.status != last.status)
        assert (COUNTS in told) is (
            with_zeros_left_out(known.counts) != with_zeros_left_out(last.counts)
            or known.total_contacts != last.total_contacts
            or known.valid_contacts != last.valid_contacts
        )
        ended_anew = last.settled_at is None or known.outcome is not last.outcome
        assert bool(ENDS & told) is (known.settled_at is not None and ended_anew)
        assert (REOPENED in told) is (known.settled_at is None and last.settled_at is not None)


@settings(max_examples=50)
@given(lives, readings)
def test_the_same_reading_again_is_silent(
    new_life: NewLife, life_: list[Step], fields: dict[str, Any]
) -> None:
    life = new_life()
    for step in life_:
        play(life, step)
    hour = timedelta(hours=1)  # more than the clock has stepped back
    life.reads(**fields, after=hour)

    again = life.reads(**fields)
    third = [life.reads(**fields) for _ in range(3)]

    assert set(again) <= ENDS  # the second reading may confirm an end, nothing else
    assert third == [[]] * 3


@settings(max_examples=50)
@given(lives)
def test_the_changes_add_up_to_the_last_known_counts(new_life: NewLife, life_: list[Step]) -> None:
    life = new_life()
    total: Counter[str] = Counter()

    for step in life_:
        for told in play(life, step):
            if told == FIRST:
                total.update(life.data(FIRST)["counts"] or {})
            elif told == COUNTS:
                total.update(life.data(COUNTS)["changes"])

    known = life.watch.known
    assert with_zeros_left_out(total) == with_zeros_left_out(known.counts if known else None)


@settings(max_examples=50)
@given(lives)
def test_settled_never_flips_without_a_reading_that_shows_why(
    new_life: NewLife, life_: list[Step]
) -> None:
    life = new_life()

    for step in life_:
        was = life.watch.known is not None and life.settled
        play(life, step)
        now = life.watch.known is not None and life.settled
        if was == now:
            continue
        fields, _ = step
        assert "status" in fields
        shown = with_zeros_left_out(fields["counts"])
        shows_open = bool({"ringing", "rescheduled"} & shown.keys())
        final = fields["status"] in {"executed", "completed", "failed", "stopped"}
        if now:
            assert final
            assert life.known.open_calls == 0 or life.known.settled_by is not SettledBy.COUNTS
        else:
            assert shows_open or not final


@settings(max_examples=50)
@given(lives)
def test_readings_alone_decide_when_a_batch_settles(new_life: NewLife, life_: list[Step]) -> None:
    """Settle again by the words of the contract, without looking at the code."""
    life = new_life()
    settled, streak_since, last_open = False, None, 0
    seen: dict[str, int] = {}
    moved_at, last = None, None

    for fields, after in life_:
        play(life, (fields, after))
        if "status" not in fields:
            continue
        at = life.watch.observed_at
        assert at is not None
        shown = with_zeros_left_out(fields["counts"])
        as_few = streak_since is not None and shown == seen
        lacking = as_few or sum(shown.values()) < sum(seen.values())
        seen = shown or seen
        totals = (life.known.total_contacts, life.known.valid_contacts)
        if last != (fields["status"], seen, totals):
            last, moved_at = (fields["status"], seen, totals), at
        assert moved_at is not None
        live = seen.get("ringing", 0)
        opens = live + seen.get("rescheduled", 0)
        final = fields["status"] in {"executed", "completed", "failed", "stopped"}
        settled = settled and final and opens <= last_open
        cut_short = fields["status"] in {"failed", "stopped"}
        quiet = final and not settled and (not opens or (cut_short and not live))
        by_counts = final and bool(shown) and not opens and not lacking
        streak_since = (streak_since or at) if quiet and not by_counts else None
        confirmed = streak_since is not None and at - streak_since >= INTERVAL * 0.9
        silent = final and opens > 0 and at - moved_at >= STILL
        settled = settled or by_counts or confirmed or silent
        last_open = opens
        assert life.settled is settled


@settings(max_examples=50)
@given(lives)
def test_a_restart_after_any_poll_changes_nothing(new_life: NewLife, life_: list[Step]) -> None:
    life, restarted = new_life(), new_life()

    for step in life_:
        play(life, step)
        play(restarted, step)
        restarted.watch = stored(restarted.watch)

    assert restarted.watch == life.watch
    assert [event.body for event in restarted.events] == [event.body for event in life.events]


# stalled, progressing, overdue


def test_open_calls_that_do_not_move_are_told_as_stalled_once(life: "Life") -> None:
    life.reads(counts={"completed": 5, "ringing": 2})

    assert life.reads(counts={"completed": 5, "ringing": 2}, after=STILL - MOMENT) == []
    assert life.reads(counts={"completed": 5, "ringing": 2}, after=MOMENT) == [STALLED]
    assert life.reads(counts={"completed": 5, "ringing": 2}, after=STILL) == []
    assert life.data(STALLED)["since"] == "2026-01-29T08:30:00.000Z"


def test_a_stall_that_is_switched_off_is_over_without_a_word(life: "Life") -> None:
    life.reads(counts={"ringing": 2})
    life.reads(counts={"ringing": 2}, after=STILL)

    life.limits = replace(life.limits, stall_after=None)

    assert life.reads(counts={"ringing": 2}) == []
    assert life.known.stalled_at is None


def test_a_stall_is_no_movement_and_makes_no_snapshot(life: "Life") -> None:
    life.reads(counts={"ringing": 2})
    life.reads(counts={"ringing": 2}, after=STILL)

    assert life.known.changed_at == life.known.started_at
    assert len(life.snapshots) == 1


def test_what_moves_again_is_told_as_progressing_after_all_else(life: "Life") -> None:
    life.reads(counts={"completed": 5, "ringing": 2})
    life.reads(counts={"completed": 5, "ringing": 2}, after=STILL)

    assert life.reads("completed", counts={"completed": 7}) == [
        COUNTS,
        STATUS,
        COMPLETED,
        PROGRESSING,
    ]
    assert life.data(PROGRESSING)["since"] == "2026-01-29T08:30:00.000Z"


def test_a_pause_ends_a_stall_and_never_is_one(life: "Life") -> None:
    life.reads("ACTIVE", counts={"ringing": 2})
    life.reads("ACTIVE", counts={"ringing": 2}, after=STILL)

    assert life.reads("PAUSED", counts={"ringing": 2}) == [
        STATUS,
        PROGRESSING,
    ]
    assert life.reads("PAUSED", counts={"ringing": 2}, after=2 * STILL) == []


def test_it_may_stall_again(life: "Life") -> None:
    life.reads(counts={"ringing": 2})
    life.reads(counts={"ringing": 2}, after=STILL)
    life.reads(counts={"completed": 1, "ringing": 1})

    assert life.reads(counts={"completed": 1, "ringing": 1}, after=STILL) == [STALLED]


def test_a_start_that_does_not_come_is_told_as_overdue_once(life: "Life") -> None:
    fields: dict[str, Any] = {"phase": Phase.PENDING, "scheduled_at": life.now}
    life.reads("scheduled", **fields)

    late = life.reads("scheduled", after=STILL - INTERVAL, **fields)

    assert late == [OVERDUE]
    assert life.known.is_overdue
    assert life.reads("scheduled", after=STILL, **fields) == []


def test_a_first_reading_tells_a_start_that_is_overdue_already(life: "Life") -> None:
    told = life.reads("scheduled", phase=Phase.PENDING, scheduled_at=life.now - STILL)

    assert told == [FIRST, OVERDUE]


def test_another_start_may_be_overdue_again(life: "Life") -> None:
    life.reads("scheduled", phase=Phase.PENDING, scheduled_at=life.now - STILL)

    moved: dict[str, Any] = {"phase": Phase.PENDING, "scheduled_at": life.now + STILL}
    assert life.reads("scheduled", **moved) == []
    assert not life.known.is_overdue
    assert life.reads("scheduled", after=2 * STILL, **moved) == [OVERDUE]


def test_a_start_that_comes_late_is_overdue_no_longer(life: "Life") -> None:
    scheduled_at = life.now - STILL
    life.reads("scheduled", phase=Phase.PENDING, scheduled_at=scheduled_at)

    assert life.reads("running", scheduled_at=scheduled_at) == [STATUS]
    assert not life.known.is_overdue


def test_a_start_that_is_missing_for_a_while_is_not_overdue_again(life: "Life") -> None:
    fields: dict[str, Any] = {"phase": Phase.PENDING, "scheduled_at": life.now - STILL}
    life.reads("scheduled", **fields)
    life.reads("scheduled", phase=Phase.PENDING)

    assert life.reads("scheduled", **fields) == []


@pytest.mark.parametrize("shown", ["running", "executed"])
def test_a_start_that_was_seen_to_come_is_not_overdue_when_it_waits_again(
    life: "Life", shown: str
) -> None:
    fields: dict[str, Any] = {"scheduled_at": life.now}
    life.reads(shown, {"rescheduled": 2}, **fields)
    life.reads("scheduled", {"rescheduled": 2}, phase=Phase.PENDING, **fields)

    later = life.reads("scheduled", {"rescheduled": 2}, after=STILL, phase=Phase.PENDING, **fields)

    assert later == []


def test_a_start_whose_calls_were_dialled_is_not_overdue_whatever_the_status_says(
    life: "Life",
) -> None:
    fields: dict[str, Any] = {"phase": Phase.PENDING, "scheduled_at": life.now}
    life.reads("queued", {"ringing": 2}, live_calls=2, **fields)

    assert life.reads("queued", {"rescheduled": 2}, after=STILL, **fields) == [COUNTS]


def test_where_nobody_tells_a_total_it_is_the_most_calls_ever_seen(life: "Life") -> None:
    life.reads("ACTIVE", counts={"queued": 5}, least_contacts=5)
    life.reads("ACTIVE", counts={"queued": 3}, least_contacts=3)

    assert life.known.total_contacts == 5


def test_an_end_that_lacks_calls_is_believed_at_the_second_reading(life: "Life") -> None:
    life.reads("ACTIVE", counts={"in-progress": 5}, least_contacts=5)

    ended = life.reads("COMPLETE", counts={"completed": 4}, least_contacts=4)

    assert COMPLETED not in ended
    assert life.reads("COMPLETE", counts={"completed": 4}, least_contacts=4) == [COMPLETED]


def test_an_end_that_shows_all_calls_ever_seen_is_believed_at_once(life: "Life") -> None:
    life.reads("ACTIVE", counts={"in-progress": 5}, least_contacts=5)

    ended = life.reads("COMPLETE", counts={"completed": 5}, least_contacts=5)

    assert COMPLETED in ended
