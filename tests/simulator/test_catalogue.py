from typing import Any

import aiohttp

from monitor.simulator.bolna import SimulatedBolna
from monitor.simulator.vogent import SimulatedVogent, vogent_document
from tests.simulator.faults import Fault


async def shown(http: aiohttp.ClientSession, url: str) -> tuple[int, Any]:
    async with http.get(url) as response:
        return response.status, await response.json()


async def test_jobs_are_shown_page_by_page(http: aiohttp.ClientSession) -> None:
    async with SimulatedVogent(key="the key") as vogent:
        for n in range(3):
            vogent.put(f"j{n}", vogent_document(f"j{n}"))
        jobs = f"{vogent.base_url}/batch_dial_jobs"

        _, first = await shown(http, f"{jobs}?limit=2")
        _, second = await shown(http, f"{jobs}?limit=2&cursor={first['cursor']}")

    assert [[row["id"] for row in page["data"]] for page in (first, second)] == [
        ["j0", "j1"],
        ["j2"],
    ]
    assert second["cursor"] is None


async def test_an_agent_shows_its_batches_and_no_others(
    bolna: SimulatedBolna, http: aiohttp.ClientSession
) -> None:
    bolna.agents = {"a1": ["b1", "gone"], "a2": []}

    _, agents = await shown(http, f"{bolna.base_url}/v2/agent/all")
    lists = [await shown(http, f"{bolna.base_url}/batches/{a}/all") for a in ("a1", "a2", "a3")]

    assert [agent["id"] for agent in agents] == ["a1", "a2"]
    assert [code for code, _ in lists] == [200, 200, 404]
    assert [[batch["batch_id"] for batch in page] for _, page in lists[:2]] == [["b1"], []]


async def test_a_list_has_faults_of_its_own_and_is_recorded(
    bolna: SimulatedBolna, http: aiohttp.ClientSession
) -> None:
    bolna.agents = {"a1": ["b1"]}
    bolna.fault(Fault.server_error(), batch="a1/all", times=1)

    codes = [(await shown(http, f"{bolna.base_url}/batches/a1/all"))[0] for _ in range(2)]

    assert codes == [500, 200]
    assert [(s.batch, s.fault) for s in bolna.served] == [
        ("a1/all", "server_error"),
        ("a1/all", None),
    ]
