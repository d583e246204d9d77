import aiohttp
import pytest

from monitor.simulator.bolna import SimulatedBolna, bolna_document, bolna_life
from monitor.simulator.vogent import SimulatedVogent, vogent_document
from tests.simulator.faults import Fault


async def status_of(http: aiohttp.ClientSession, api: SimulatedBolna, batch_id: str = "b1") -> int:
    async with http.get(f"{api.base_url}/batches/{batch_id}") as response:
        await response.read()
        return response.status


async def test_a_batch_shows_its_document(
    bolna: SimulatedBolna, http: aiohttp.ClientSession
) -> None:
    async with http.get(f"{bolna.base_url}/batches/b1") as response:
        shown = await response.json()

    assert shown == bolna_document("b1", status="running")
    (served,) = bolna.served
    assert (served.batch, served.status_code, served.fault) == ("b1", 200, None)
    assert served.document == shown


async def test_vogent_is_served_under_its_own_path(http: aiohttp.ClientSession) -> None:
    async with SimulatedVogent(key="the key") as vogent:
        vogent.put("j1", vogent_document("j1"))
        async with http.get(f"{vogent.base_url}/batch_dial_jobs/j1") as response:
            assert (await response.json())["status"] == "INIT"

    assert vogent.base_url.endswith("/api")


async def test_a_life_is_shown_step_by_step(
    bolna: SimulatedBolna, http: aiohttp.ClientSession
) -> None:
    life = bolna.put("b2", bolna_life("b2"))
    shown = []

    for _ in life.steps:
        async with http.get(f"{bolna.base_url}/batches/b2") as response:
            shown.append(await response.read())
        life.advance()

    assert shown == [step.body for step in life.steps]


@pytest.mark.parametrize("authorization", ["Bearer wrong", "the key", "", "Basic the key"])
async def test_a_wrong_key_is_refused(
    bolna: SimulatedBolna, http: aiohttp.ClientSession, authorization: str
) -> None:
    headers = {"Authorization": authorization}

    async with http.get(f"{bolna.base_url}/batches/b1", headers=headers) as response:
        assert response.status == 401

    assert bolna.served[-1].fault == "wrong_key"


@pytest.mark.parametrize("path", ["/batches/b2", "/batches/", "/batches", "/", "/v2/agent/b1"])
async def test_an_unknown_id_or_path_is_not_found(
    bolna: SimulatedBolna, http: aiohttp.ClientSession, path: str
) -> None:
    async with http.get(bolna.base_url + path) as response:
        assert response.status == 404


async def test_a_removed_batch_is_not_found(
    bolna: SimulatedBolna, http: aiohttp.ClientSession
) -> None:
    bolna.remove("b1")

    assert await status_of(http, bolna) == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
async def test_anything_but_get_is_a_violation(
    bolna: SimulatedBolna, http: aiohttp.ClientSession, method: str
) -> None:
    async with http.request(method, f"{bolna.base_url}/batches/b1") as response:
        assert response.status == 405

    assert bolna.violations == [f"{method} /batches/b1"]


async def test_a_fault_comes_so_many_times(
    bolna: SimulatedBolna, http: aiohttp.ClientSession
) -> None:
    bolna.fault(Fault.server_error(503), times=2)

    assert [await status_of(http, bolna) for _ in range(3)] == [503, 503, 200]
    assert [served.fault for served in bolna.served] == ["server_error", "server_error", None]


async def test_a_fault_stays_until_lifted(
    bolna: SimulatedBolna, http: aiohttp.ClientSession
) -> None:
    bolna.fault(Fault.forbidden())
    before = [await status_of(http, bolna) for _ in range(3)]

    bolna.lift()

    assert (before, await status_of(http, bolna)) == ([403] * 3, 200)


async def test_a_batch_s_own_fault_goes_before_the_account_s(
    bolna: SimulatedBolna, http: aiohttp.ClientSession
) -> None:
    bolna.put("b2", bolna_document("b2"))
    bolna.fault(Fault.gone(), batch="b1")

    alone = (await status_of(http, bolna, "b1"), await status_of(http, bolna, "b2"))
    bolna.fault(Fault.server_error())
    both = (await status_of(http, bolna, "b1"), await status_of(http, bolna, "b2"))
    bolna.lift(batch="b1")
    left = await status_of(http, bolna, "b1")

    assert (alone, both, left) == ((410, 200), (410, 500), 500)


async def test_a_fault_must_come_at_least_once(bolna: SimulatedBolna) -> None:
    with pytest.raises(ValueError, match="at least once"):
        bolna.fault(Fault.gone(), times=0)


async def test_a_stopped_api_comes_back_on_its_port(
    bolna: SimulatedBolna, http: aiohttp.ClientSession
) -> None:
    url = bolna.base_url
    await bolna.stop()

    with pytest.raises(aiohttp.ClientConnectionError):
        await status_of(http, bolna)
    await bolna.start()

    assert bolna.base_url == url
    assert await status_of(http, bolna) == 200
