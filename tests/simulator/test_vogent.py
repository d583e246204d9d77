import pytest

from monitor.core.batch import Phase
from monitor.providers.vogent import parse
from monitor.simulator import JobEnding, random_vogent_life, vogent_document, vogent_life


@pytest.mark.parametrize(
    ("pauses", "ending", "expected"),
    [
        (0, JobEnding.COMPLETE, ["INIT", "ACTIVE", "COMPLETE"]),
        (1, JobEnding.COMPLETE, ["INIT", "ACTIVE", "PAUSED", "ACTIVE", "COMPLETE"]),
        (
            2,
            JobEnding.CANCELLED,
            ["INIT", "ACTIVE", "PAUSED", "ACTIVE", "PAUSED", "ACTIVE", "CANCELLED"],
        ),
    ],
)
def test_a_job_pauses_resumes_and_ends(pauses: int, ending: JobEnding, expected: list[str]) -> None:
    life = vogent_life("j1", pauses=pauses, ending=ending)

    assert [step.document["status"] for step in life.steps] == expected


@pytest.mark.parametrize("seed", range(10))
def test_a_random_life_is_all_readings_and_ends(seed: int) -> None:
    life = random_vogent_life("j1", seed=seed)
    readings = [parse(step.body, "j1") for step in life.steps]

    assert (readings[0].phase, readings[-1].phase) == (Phase.PENDING, Phase.ENDED)


def test_a_document_can_lack_fields() -> None:
    assert "schedule" not in vogent_document("j1", without=("schedule",))
