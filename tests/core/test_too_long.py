from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from monitor.core.batch import Phase
from tests.core.names import (
    COMPLETED,
    COUNTS,
    FIRST,
    INTERVAL,
    MOMENT,
    OVERDUE,
    PROGRESSING,
    STALLED,
    STATUS,
    STILL,
)

if TYPE_CHECKING:
    from tests.core.conftest import Life


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
