"""What an API echoes of the request shows no key, wherever it stands in its answer."""

import json
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


async def test_a_short_parameter_may_well_be_part_of_a_name(api: MadeUpApi) -> None:
    api.put("/b1?region=eu-west", b'{"state": "dialing", "title": "eu-west in May", "calls": []}')

    async with source(api, query={"region": "eu-west"}, id=None, name="title") as provider:
        reading = await provider.read("b1")

    assert reading.name == "eu-west in May"


__all__ = ["api"]
