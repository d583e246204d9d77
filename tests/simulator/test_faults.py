import asyncio
import json
from datetime import UTC, datetime

import aiohttp
import pytest

from monitor.simulator.bolna import SimulatedBolna, bolna_document
from tests.conftest import Until
from tests.simulator.faults import Fault


async def fetch(http: aiohttp.ClientSession, api: SimulatedBolna) -> tuple[int, bytes, str]:
    async with http.get(f"{api.base_url}/batches/b1") as response:
        return response.status, await response.read(), response.content_type


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.unauthorized(), 401),
        (Fault.forbidden(), 403),
        (Fault.not_found(), 404),
        (Fault.gone(), 410),
        (Fault.unprocessable(), 422),
        (Fault.rate_limited(), 429),
        (Fault.server_error(), 500),
        (Fault.server_error(502), 502),
        (Fault.status(402), 402),
    ],
)
async def test_a_refusal_has_its_code_and_a_json_body(
    bolna: SimulatedBolna, http: aiohttp.ClientSession, fault: Fault, code: int
) -> None:
    bolna.fault(fault)

    status, body, kind = await fetch(http, bolna)

    assert (status, kind) == (code, "application/json")
    assert isinstance(json.loads(body), dict)
    assert (bolna.served[-1].status_code, bolna.served[-1].fault) == (code, fault.name)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (None, None),
        (7, "7"),
        ("soon", "soon"),
        (datetime(2026, 1, 29, 8, 30, tzinfo=UTC), "Thu, 29 Jan 2026 08:30:00 GMT"),
    ],
)
async def test_a_rate_limit_says_when_to_come_back(
    bolna: SimulatedBolna,
    http: aiohttp.ClientSession,
    given: int | str | datetime | None,
    sent: str | None,
) -> None:
    bolna.fault(Fault.rate_limited(given))

    async with http.get(f"{bolna.base_url}/batches/b1") as response:
        assert response.headers.get("Retry-After") == sent


async def test_a_redirect_names_its_target(
    bolna: SimulatedBolna, http: aiohttp.ClientSession
) -> None:
    bolna.fault(Fault.redirect("http://127.0.0.1:1/"))

    async with http.get(f"{bolna.base_url}/batches/b1", allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (307, "http://127.0.0.1:1/")


async def test_bodies_are_spoiled(bolna: SimulatedBolna, http: aiohttp.ClientSession) -> None:
    document = bolna_document("b1", status="running")
    bodies = {}

    for fault in (Fault.empty(), Fault.array(), Fault.truncated(), Fault.other_batch()):
        bolna.fault(fault)
        status, bodies[fault.name], _ = await fetch(http, bolna)
        assert status == 200

    whole = json.dumps(document).encode()
    assert bodies["empty"] == b""
    assert json.loads(bodies["array"]) == [document]
    assert bodies["truncated"] == whole[: len(whole) // 2]
    assert json.loads(bodies["other_batch"]) == {**document, "batch_id": "0" * 32}


async def test_a_proxy_answers_with_a_page(
    bolna: SimulatedBolna, http: aiohttp.ClientSession
) -> None:
    bolna.fault(Fault.html())

    status, body, kind = await fetch(http, bolna)

    assert (status, kind, body[:9]) == (200, "text/html", b"<!doctype")


@pytest.mark.parametrize("fault", [Fault.reset(), Fault.black_hole(0)], ids=lambda f: f.name)
async def test_a_connection_ends_without_an_answer(
    bolna: SimulatedBolna, http: aiohttp.ClientSession, fault: Fault
) -> None:
    bolna.fault(fault)  # for good: aiohttp repeats a GET whose connection broke

    with pytest.raises(aiohttp.ClientConnectionError):
        await fetch(http, bolna)
    bolna.lift()

    assert (bolna.served[-1].status_code, bolna.served[-1].fault) == (None, fault.name)
    assert (await fetch(http, bolna))[0] == 200


async def test_a_black_hole_is_left_by_hanging_up_or_stopping(
    bolna: SimulatedBolna, http: aiohttp.ClientSession, until: Until
) -> None:
    bolna.fault(Fault.black_hole())
    waiting = asyncio.create_task(fetch(http, bolna))
    await until(lambda: bolna.record.answers == 1)

    await bolna.stop()

    with pytest.raises(aiohttp.ClientConnectionError):
        await waiting


async def test_a_slow_drip_sends_the_whole_document(
    bolna: SimulatedBolna, http: aiohttp.ClientSession
) -> None:
    bolna.fault(Fault.slow_drip(pause=0))

    status, body, _ = await fetch(http, bolna)

    assert (status, json.loads(body)) == (200, bolna_document("b1", status="running"))
