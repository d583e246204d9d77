from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.core.names import (
    CANCELLED,
    COMPLETED,
    COUNTS,
    FAILED,
    INTERVAL,
    MOMENT,
    REOPENED,
    STALLED,
    STATUS,
    UNKNOWN,
)

if TYPE_CHECKING:
    from tests.core.conftest import Life


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
