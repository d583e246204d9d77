from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from monitor.core.batch import Batch, Origin
from tests.core.names import (
    CANCELLED,
    COMPLETED,
    COUNTS,
    FIRST,
    REOPENED,
    STATUS,
)

if TYPE_CHECKING:
    from tests.core.conftest import Life

NewLife = Callable[..., "Life"]
MakeBatch = Callable[..., Batch]


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
