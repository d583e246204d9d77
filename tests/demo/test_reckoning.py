import json
from collections.abc import Sequence
from itertools import groupby

import pytest

from monitor.core.unreachable import UNREACHABLE_POLLS
from monitor.demo.arrivals import Arrivals
from monitor.demo.cast import BOLNA, Role
from monitor.demo.reckoning import Reckoning
from monitor.simulator.bolna import bolna_document
from monitor.simulator.lives import Life, Step, step
from monitor.simulator.record import ServedAnswer
from monitor.simulator.vogent import vogent_document
from tests.demo.conftest import Document, arrival, event


def shown(status: str, **counts: int) -> Document:
    """Return what Bolna shows of the batch."""
    return dict(bolna_document("b1", status=status, execution_status=counts or None))


STORY = [shown("created"), shown("running", queued=2), shown("completed", completed=2)]
WHOLE = [
    event("batch.first_seen", "created"),
    event("batch.counts_changed", "running", {"queued": 2}),
    event("batch.status_changed", "running", {"queued": 2}),
    event("batch.counts_changed", "completed", {"completed": 2}),
    event("batch.status_changed", "completed", {"completed": 2}),
    event("batch.completed", "completed", {"completed": 2}),
]


def reckon(
    served: Sequence[Document | None],
    told: Sequence[Document],
    *,
    life: Sequence[Document | Step] | None = None,
) -> list[str]:
    """Return what is missing of what was served (none: a refusal), given the events accepted.

    Events in a row that tell the same state are one reading's.
    """
    steps = [shown if isinstance(shown, Step) else step(shown) for shown in life or STORY]
    role = Role(source=BOLNA, id="b1", name="a.csv", team="care", life=Life(steps))
    role.life.advance(max(sum(document is not None for document in served) - 1, 0))
    reckoning, arrivals = Reckoning([role]), Arrivals()
    for document in served:
        body = None if document is None else json.dumps(document).encode()
        reckoning.note(ServedAnswer(0.0, "b1", 404 if body is None else 200, body=body))
    for second, (_, reading) in enumerate(groupby(told, key=lambda document: document["data"])):
        for number, document in enumerate(reading):
            timed = document | {"time": f"2026-01-29T08:31:{second:02}Z"}
            arrivals.note(arrival(timed, event_id=f"evt_{second}_{number}"))
    return reckoning.missing(arrivals)


def test_a_whole_story_lacks_nothing() -> None:
    assert reckon(STORY, WHOLE) == []


def test_a_story_that_is_not_over_needs_no_end() -> None:
    assert reckon(STORY[:2], WHOLE[:3]) == []


def test_nothing_served_needs_nothing() -> None:
    assert reckon([], []) == []


@pytest.mark.parametrize(
    ("told", "missing"),
    [
        (WHOLE[1:], "batch.first_seen created (-)"),
        ([WHOLE[0], *WHOLE[3:]], "running (2 queued)"),
        (WHOLE[:5], "batch.completed completed (2 completed)"),
    ],
)
def test_what_is_lost_is_named(told: list[Document], missing: str) -> None:
    assert reckon(STORY, told) == [f"bolna a.csv: {missing}"]


def test_states_in_another_order_have_not_arrived() -> None:
    swapped = [WHOLE[0], *WHOLE[3:6], WHOLE[1]]

    assert reckon(STORY, swapped) != []


def test_an_end_that_was_never_asked_for_is_missing_all_the_same() -> None:
    missing = reckon([], [], life=[shown("stopped")])

    assert missing == ["bolna a.csv: batch.cancelled stopped (-)"]


def test_a_state_that_comes_back_must_be_told_twice() -> None:
    words = ("ACTIVE", "PAUSED", "ACTIVE", "COMPLETE")
    life = [dict(vogent_document("b1", status=word)) for word in words]
    told = [event("batch.first_seen", "ACTIVE"), event("batch.status_changed", "PAUSED")]
    back = event("batch.status_changed", "ACTIVE")

    assert reckon(life[:3], told, life=life) == ["bolna a.csv: ACTIVE (-)"]
    assert reckon(life[:3], [*told, back], life=life) == []


def test_the_counts_of_a_job_are_those_of_its_lists_and_must_be_told_at_its_end() -> None:
    jobs = [dict(vogent_document("b1", status=word)) for word in ("ACTIVE", "COMPLETE")]
    busy = {"dials": [{"id": "d1", "status": "busy"}, {"id": "d2", "status": "busy"}]}
    told = [
        event("batch.first_seen", "ACTIVE", {"queued": 2}),
        event("batch.counts_changed", "ACTIVE", {"queued": 1, "busy": 1}),
        event("batch.status_changed", "COMPLETE", {"busy": 1}),
    ]
    end = event("batch.completed", "COMPLETE", {"busy": 2})

    missing = reckon(jobs, told, life=[jobs[0], step(jobs[1], lists=busy)])

    assert missing == ["bolna a.csv: batch.completed COMPLETE (2 busy)"]
    assert reckon(jobs, [*told, end], life=[jobs[0], step(jobs[1], lists=busy)]) == []


def test_refusals_in_a_row_must_be_told_and_so_must_their_end() -> None:
    served = [STORY[0], *[None] * UNREACHABLE_POLLS, STORY[1]]
    away = event("batch.unreachable", "created")
    back = event("batch.reachable", "running", {"queued": 2})

    assert reckon(served, WHOLE[:3]) == [
        "bolna a.csv: batch.unreachable",
        "bolna a.csv: batch.reachable running (2 queued)",
    ]
    assert reckon(served, [WHOLE[0], away, *WHOLE[1:3], back]) == []


def test_a_batch_may_come_back_at_its_end() -> None:
    served = [*STORY[:2], *[None] * UNREACHABLE_POLLS, STORY[2]]
    away = event("batch.unreachable", "running", {"queued": 2})
    back = event("batch.reachable", "completed", {"completed": 2})

    assert reckon(served, [*WHOLE[:3], away, *WHOLE[3:], back]) == []


def test_fewer_refusals_are_no_event() -> None:
    served = [STORY[0], *[None] * (UNREACHABLE_POLLS - 1), STORY[1]]

    assert reckon(served, WHOLE[:3]) == []


def test_a_count_of_zero_is_as_good_as_none() -> None:
    served = [shown("created"), shown("running", queued=0)]

    assert reckon(served, [WHOLE[0], event("batch.status_changed", "running")]) == []
