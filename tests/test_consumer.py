import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from standardwebhooks import Webhook

from monitor import consumer as module
from monitor.consumer import Arrival, Consumer, Refusal
from tests.demo.conftest import event

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
OTHER_SECRET = "whsec_MTEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
FIRST = event("batch.first_seen", "created")


class Heard:
    """A consumer, and what it tells."""

    def __init__(self, secret: str = SECRET) -> None:
        self.told: list[Arrival | Refusal] = []
        self.consumer = Consumer(secret, self.told.append)

    async def send(self, body: Any, *, event_id: str = "evt_A", secret: str = SECRET) -> int:
        """Send a body, signed by the official library; return the answer's status."""
        text, now = json.dumps(body), datetime.now(UTC)
        headers = {
            "webhook-id": event_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(secret).sign(event_id, now, text),
        }
        return await self.post(text.encode(), headers)

    async def post(self, body: bytes, headers: dict[str, str]) -> int:
        async with aiohttp.request("POST", self.consumer.url, data=body, headers=headers) as answer:
            return answer.status

    @property
    def duplicates(self) -> list[bool]:
        """Tell of each event whether it was seen before."""
        return [one.duplicate for one in self.told if isinstance(one, Arrival)]


@pytest.fixture
async def heard() -> AsyncIterator[Heard]:
    found = Heard()
    async with found.consumer:
        yield found


async def test_what_is_signed_is_told_as_it_came(heard: Heard) -> None:
    status = await heard.send(FIRST)

    (arrived,) = heard.told
    assert status == 204
    assert isinstance(arrived, Arrival)
    assert json.loads(arrived.body) == arrived.document == FIRST
    assert (arrived.id, arrived.subject) == ("evt_A", ("/sources/bolna", "b1"))
    assert (arrived.sequence, arrived.duplicate) == (1, False)
    assert arrived.latency > timedelta()


async def test_another_key_is_refused_with_the_reason(heard: Heard) -> None:
    assert await heard.send(FIRST, secret=OTHER_SECRET) == 401
    assert heard.told == [Refusal(reason="No matching signature found")]


async def test_any_secret_of_a_rotation_will_do() -> None:
    found = Heard(f"{OTHER_SECRET} {SECRET}")
    async with found.consumer:
        statuses = [await found.send(FIRST, secret=secret) for secret in (SECRET, OTHER_SECRET)]

    assert statuses == [204, 204]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"webhook-id": "e", "webhook-timestamp": "0", "webhook-signature": "v1,AAAA"},
        {"webhook-id": "e", "webhook-timestamp": "soon", "webhook-signature": "v1,AAAA"},
        {"webhook-id": "e", "webhook-timestamp": "now", "webhook-signature": "none"},
        {"webhook-id": "e", "webhook-timestamp": "now", "webhook-signature": "v1,é"},
    ],
)
async def test_headers_that_sign_nothing_are_refused(headers: dict[str, str], heard: Heard) -> None:
    now = str(int(datetime.now(UTC).timestamp()))
    timely = {name: now if value == "now" else value for name, value in headers.items()}

    assert await heard.post(b"{}", timely) == 401
    assert isinstance(heard.told[0], Refusal)


async def test_bytes_that_are_no_text_are_refused(heard: Heard) -> None:
    headers = {"webhook-id": "e", "webhook-timestamp": "0", "webhook-signature": "v1,AAAA"}

    assert await heard.post(b"\xff", headers) == 401


@pytest.mark.parametrize("body", [[], {}, FIRST | {"data": 4}])
async def test_what_is_signed_and_no_event_is_refused(body: Any, heard: Heard) -> None:
    assert await heard.send(body) == 401
    assert heard.told == [Refusal(reason="the body is no event")]


async def test_the_same_id_again_is_a_duplicate(heard: Heard) -> None:
    statuses = [await heard.send(FIRST) for _ in range(2)]

    assert statuses == [204, 204]
    assert heard.duplicates == [False, True]


async def test_it_remembers_so_many_ids_the_newest(
    heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 2)

    for event_id in ("evt_A", "evt_B", "evt_C", "evt_B", "evt_A"):
        await heard.send(FIRST, event_id=event_id)

    assert heard.duplicates == [False, False, False, True, False]
