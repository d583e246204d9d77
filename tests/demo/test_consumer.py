import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import aiohttp
import pytest
from standardwebhooks import Webhook

from monitor.demo.consumer import Consumer
from tests.demo.conftest import Document, event

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
OTHER_SECRET = "whsec_MTEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


@pytest.fixture
async def consumer() -> AsyncIterator[Consumer]:
    async with Consumer(SECRET) as found:
        yield found


async def send(
    consumer: Consumer, document: Document, *, event_id: str = "evt_A", secret: str = SECRET
) -> int:
    """Send an event, signed by the official library; return the answer's status."""
    body, now = json.dumps(document), datetime.now(UTC)
    headers = {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(event_id, now, body),
    }
    return await post(consumer.url, body.encode(), headers)


async def post(url: str, body: bytes, headers: dict[str, str]) -> int:
    async with aiohttp.request("POST", url, data=body, headers=headers) as answer:
        return answer.status


async def test_what_is_signed_is_accepted(consumer: Consumer) -> None:
    status = await send(consumer, event("batch.first_seen", "created"))

    assert status == 204
    assert [accepted.id for accepted in consumer.accepted] == ["evt_A"]
    assert consumer.events_of(("/sources/bolna", "b1")) == consumer.accepted
    assert (consumer.duplicates, consumer.bad_signatures, consumer.gaps) == (0, 0, 0)


async def test_another_key_is_refused_and_counted(consumer: Consumer) -> None:
    status = await send(consumer, event("batch.first_seen", "created"), secret=OTHER_SECRET)

    assert (status, consumer.bad_signatures, consumer.accepted) == (401, 1, [])


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
async def test_headers_that_sign_nothing_are_a_bad_signature(
    headers: dict[str, str], consumer: Consumer
) -> None:
    now = str(int(datetime.now(UTC).timestamp()))
    timely = {name: now if value == "now" else value for name, value in headers.items()}

    assert await post(consumer.url, b"{}", timely) == 401
    assert consumer.bad_signatures == 1


async def test_bytes_that_are_no_text_are_a_bad_signature(consumer: Consumer) -> None:
    headers = {"webhook-id": "e", "webhook-timestamp": "0", "webhook-signature": "v1,AAAA"}

    assert await post(consumer.url, b"\xff", headers) == 401
    assert consumer.bad_signatures == 1


async def test_the_same_id_twice_counts_once(consumer: Consumer) -> None:
    first = await send(consumer, event("batch.first_seen", "created"))
    second = await send(consumer, event("batch.first_seen", "created"))

    assert (first, second) == (204, 204)
    assert (len(consumer.accepted), consumer.duplicates, consumer.gaps) == (1, 1, 0)


async def test_a_sequence_that_leaps_is_a_gap_of_its_subject_alone(consumer: Consumer) -> None:
    await send(consumer, event("batch.first_seen", "created", sequence=1), event_id="evt_A")
    await send(consumer, event("batch.first_seen", "created", subject="b2"), event_id="evt_B")
    await send(consumer, event("batch.completed", "completed", sequence=3), event_id="evt_C")

    assert (len(consumer.accepted), consumer.gaps) == (3, 1)
