from itertools import pairwise

import pytest

from monitor.core.batch import Outcome, Phase
from monitor.providers.bolna import parse
from monitor.simulator.bolna import Ending, Generation, bolna_document, bolna_life
from monitor.simulator.lives import Life
from tests.simulator.random_lives import random_bolna_life


def words(life: Life) -> list[str]:
    shown = [step.document["status"] for step in life.steps]
    return [shown[0], *(after for before, after in pairwise(shown) if before != after)]


@pytest.mark.parametrize(
    ("generation", "ending", "expected"),
    [
        (Generation.OLDER, Ending.COMPLETED, ["created", "scheduled", "queued", "executed"]),
        (
            Generation.NEWER,
            Ending.COMPLETED,
            ["created", "processed", "scheduled", "running", "completed"],
        ),
        (
            Generation.NEWER,
            Ending.STOPPED,
            ["created", "processed", "scheduled", "running", "stopped"],
        ),
        (
            Generation.NEWER,
            Ending.FAILED,
            ["created", "processed", "scheduled", "running", "failed"],
        ),
    ],
)
def test_each_generation_uses_its_own_words(
    generation: Generation, ending: Ending, expected: list[str]
) -> None:
    assert words(bolna_life("b1", generation=generation, ending=ending)) == expected


def test_the_older_generation_is_executed_while_calls_are_open() -> None:
    life = bolna_life("b1", contacts=30, generation=Generation.OLDER)
    readings = [parse(step.body, "b1") for step in life.steps]

    executed = [reading for reading in readings if reading.status == "executed"]

    assert executed[0].open_calls > 0
    assert executed[-1].open_calls == 0


@pytest.mark.parametrize("lag", [True, False])
def test_a_lagging_status_runs_on_after_the_last_call(lag: bool) -> None:
    readings = [parse(step.body, "b1") for step in bolna_life("b1", lag=lag).steps]

    lagging = [r for r in readings if r.phase is Phase.RUNNING and r.counts and not r.open_calls]

    assert bool(lagging) is lag


def test_a_retry_wakes_the_batch_up_and_lowers_its_finished_calls() -> None:
    life = bolna_life("b1", contacts=30, retry=True, seed=3)
    finished = [
        sum((reading.counts or {}).values()) - reading.open_calls
        for reading in (parse(step.body, "b1") for step in life.steps)
    ]

    assert any(after < before for before, after in pairwise(finished))
    assert words(life)[-3:] == ["completed", "running", "completed"]


@pytest.mark.parametrize("seed", range(40))
def test_a_random_life_is_all_readings_and_ends_without_an_open_call(seed: int) -> None:
    life = random_bolna_life("b1", seed=seed)
    readings = [parse(step.body, "b1") for step in life.steps]

    assert readings[0].phase is Phase.PENDING
    assert (readings[-1].phase, readings[-1].open_calls) == (Phase.ENDED, 0)
    assert isinstance(readings[-1].outcome, Outcome)
    assert all(reading.unknown_call_statuses == () for reading in readings)


def test_the_same_seed_lives_the_same_life() -> None:
    first, second = (random_bolna_life("b1", seed=5) for _ in range(2))

    assert first.steps == second.steps
    assert first.steps != random_bolna_life("b2", seed=5).steps


def test_a_document_can_lack_fields() -> None:
    document = bolna_document("b1", status="running", without=("file_name", "batch_id"))

    assert document["status"] == "running"
    assert not {"file_name", "batch_id"} & document.keys()
