from collections import Counter
from itertools import chain, groupby, pairwise
from typing import Any

import aiohttp
import pytest

from monitor.core.batch import Phase
from monitor.providers.vogent import parse
from monitor.simulator.lives import Life, step
from monitor.simulator.vogent import JobEnding, SimulatedVogent, vogent_document, vogent_life
from tests.simulator.faults import Fault
from tests.simulator.random_lives import random_vogent_life


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

    assert [word for word, _ in groupby(s.document["status"] for s in life.steps)] == expected


@pytest.mark.parametrize("seed", range(10))
def test_a_random_life_is_all_readings_and_ends(seed: int) -> None:
    life = random_vogent_life("j1", seed=seed)
    readings = [parse(step.body, "j1") for step in life.steps]

    assert (readings[0].phase, readings[-1].phase) == (Phase.PENDING, Phase.ENDED)


def test_a_document_can_lack_fields() -> None:
    assert "schedule" not in vogent_document("j1", without=("schedule",))


def test_the_same_seed_lives_the_same_life() -> None:
    first, second, other = (random_vogent_life("j1", seed=seed).steps for seed in (1, 1, 2))

    assert first == second
    assert first != other


@pytest.mark.parametrize("ending", list(JobEnding))
@pytest.mark.parametrize("seed", range(5))
def test_calls_go_from_the_queue_into_the_dials(ending: JobEnding, seed: int) -> None:
    life = vogent_life("j1", contacts=30, ending=ending, seed=seed)
    queued = [len(s.lists["queue"]) for s in life.steps]
    dials = [[row["id"] for row in s.lists["dials"]] for s in life.steps]

    assert queued[0] == 30
    assert all(later <= earlier for earlier, later in pairwise(queued))
    assert all(set(earlier) <= set(later) for earlier, later in pairwise(dials))
    assert all(q + len(d) <= 30 for q, d in zip(queued, dials, strict=True))
    ends = Counter(row["status"] for row in chain(*life.steps[-1].lists.values()))
    assert ends.keys() <= {"completed", "no-answer", "busy", "failed", "canceled"}
    assert (ends.total() == 30) == (ending is JobEnding.COMPLETE)


def test_a_paused_job_holds_its_calls() -> None:
    life = vogent_life("j1", pauses=1)
    words = [s.document["status"] for s in life.steps]
    place = words.index("PAUSED")

    assert life.steps[place].lists == life.steps[place + 1].lists


async def test_a_job_s_lists_are_shown_at_paths_of_their_own(http: aiohttp.ClientSession) -> None:
    rows = [{"id": f"d{n}", "status": "busy"} for n in range(5)]
    async with SimulatedVogent(key="the key") as vogent:
        vogent.put("j1", Life([step(vogent_document("j1"), lists={"dials": rows})]))
        base = f"{vogent.base_url}/batch_dial_jobs/j1"
        pages: list[dict[str, Any]] = []
        for path in ("dials?limit=3", "dials?limit=3&cursor=3", "queue"):
            async with http.get(f"{base}/{path}") as response:
                pages.append(await response.json())

    shown = [([row["id"] for row in page["data"]], page["cursor"]) for page in pages]
    assert shown == [
        (["d0", "d1", "d2"], "3"),
        (["d3", "d4"], None),
        ([], None),
    ]
    assert pages[0]["data"][0]["transcript"]
    assert vogent.served == []
    assert list(vogent.pages) == [("j1/dials", ""), ("j1/dials", "3"), ("j1/queue", "")]


async def test_a_list_has_faults_of_its_own(http: aiohttp.ClientSession) -> None:
    async with SimulatedVogent(key="the key") as vogent:
        vogent.put("j1", vogent_document("j1"))
        vogent.fault(Fault.server_error(503), batch="j1/dials")
        base, codes = f"{vogent.base_url}/batch_dial_jobs", []
        for path in ("j1", "j1/queue", "j1/dials", "j2/dials"):
            async with http.get(f"{base}/{path}") as response:
                codes.append(response.status)

    assert codes == [200, 200, 503, 404]
