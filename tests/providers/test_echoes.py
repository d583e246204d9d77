"""What an API echoes of the request shows no key, wherever it stands in its answer."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from monitor.core.errors import PollError
from monitor.core.failure import FailureKind
from tests.providers.made_up_api import MadeUpApi
from tests.providers.test_large_answers import api, source

KEY = "k3y+with/odd characters"


@pytest.fixture
async def echoing(api: MadeUpApi) -> MadeUpApi:
    echo = {
        "self": f"{api.origin}/b1?key={quote_plus(KEY)}",
        "state": f"dialing {KEY}",
        "title": f"see /b1?key={quote_plus(KEY)}",
        "calls": [{"status": f"asked {quote(KEY)}"}],
    }
    api.put(f"/b1?key={quote(KEY, safe='')}", json.dumps(echo).encode())
    return api


async def test_a_reading_shows_no_key(echoing: MadeUpApi) -> None:
    async with source(echoing, query={"key": KEY}, id="self", name="title") as provider:
        reading = await provider.read("b1")

    assert reading.status == "dialing [redacted]"
    assert reading.name == "see /b1?key=[redacted]"
    assert reading.counts == {"asked [redacted]": 1}


async def test_no_reason_shows_a_key(echoing: MadeUpApi) -> None:
    async with source(echoing, query={"key": KEY}, id="state") as provider:
        with pytest.raises(PollError) as caught:
            await provider.read("b1")

    assert caught.value.kind is FailureKind.INVALID_BODY
    assert caught.value.reason == "its id is 'dialing [redacted]', not 'b1'"


async def test_a_key_that_is_cut_with_a_name_or_an_id_is_hidden_first(api: MadeUpApi) -> None:
    long = "x" * 240 + KEY
    body = json.dumps({"state": "dialing", "title": long, "calls": []}).encode()
    api.put(f"/b1?key={quote(KEY, safe='')}", body)
    fields: dict[str, Any] = {"query": {"key": KEY}, "name": "title"}

    async with source(api, **fields, id=None) as provider:
        reading = await provider.read("b1")
        (found,) = [one for one in provider.findings(body) if one.key == "name"]
    async with source(api, **fields, id="title") as provider:
        with pytest.raises(PollError) as caught:
            await provider.read("b1")

    assert reading.name == found.value == "x" * 240 + "[redacted]"
    assert "k3y" not in str(caught.value)


async def test_calls_of_words_that_become_one_are_still_all_there(api: MadeUpApi) -> None:
    calls = {f"at {KEY}": 3, f"at {KEY.upper()}": 4}
    body = json.dumps({"state": "dialing", "calls": calls}).encode()
    api.put(f"/b1?key={quote(KEY, safe='')}", body)

    async with source(api, query={"key": KEY}, id=None, counts="calls", total="`9`") as provider:
        reading = await provider.read("b1")

    assert reading.counts == {"at [redacted]": 7}
    assert reading.open_calls == 7


@pytest.mark.parametrize("batch_id", ["k3y+with odd characters", "b2?k3y%2Bwith+odd%20characters"])
async def test_no_id_that_holds_a_key_is_found(api: MadeUpApi, batch_id: str) -> None:
    body = json.dumps({"list": [{"id": "b1"}, {"id": batch_id}]}).encode()
    api.put("/list?key=k3y%2Bwith%20odd%20characters", body)
    discover = {"url": f"{api.origin}/list", "items": "list", "id": "id"}

    async with source(api, query={"key": "k3y+with odd characters"}, discover=discover) as provider:
        assert provider.finder is not None
        (found,) = [one async for one in provider.finder.find(now=datetime.now(UTC))]

    assert found.ids == ("b1",)
    assert found.entries.no_id == 1


async def test_a_key_from_elsewhere_is_one_however_short(
    api: MadeUpApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHORT", "k3y!")
    api.put("/b1?key=k3y%21", b'{"state": "dialing", "title": "see k3y!", "calls": []}')

    async with source(api, query={"key_env": "SHORT"}, id=None, name="title") as provider:
        reading = await provider.read("b1")

    assert reading.name == "see [redacted]"


async def test_a_short_parameter_may_well_be_part_of_a_name(api: MadeUpApi) -> None:
    api.put("/b1?region=eu-west", b'{"state": "dialing", "title": "eu-west in May", "calls": []}')

    async with source(api, query={"region": "eu-west"}, id=None, name="title") as provider:
        reading = await provider.read("b1")

    assert reading.name == "eu-west in May"


__all__ = ["api"]
