"""Large answers of a generic source: read up to its limit, aside, and named when they go beyond."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from monitor.core.errors import PollError
from monitor.core.failure import FailureKind
from monitor.net.room import Room
from monitor.providers import GenericSettings, build
from monitor.providers.generic import Generic
from tests.patient import HANG
from tests.providers.made_up_api import MadeUpApi

MIB = 1024 * 1024
Until = Callable[..., Awaitable[None]]


@pytest.fixture
async def api() -> AsyncIterator[MadeUpApi]:
    async with MadeUpApi() as served:
        yield served


@contextmanager
def threaded(body: bytes) -> Iterator[str]:
    """Answer whatever is asked by a body, from a thread of its own; return where."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@asynccontextmanager
async def source(
    api: MadeUpApi | str, *, deadline: float = HANG, **fields: Any
) -> AsyncIterator[Generic]:
    origin = api if isinstance(api, str) else api.origin
    settings = GenericSettings.model_validate(
        {
            "provider": "generic",
            "url": f"{origin}/{{id}}",
            "id": "id",
            "status": "state",
            "counts": "calls[].status",
            "total": "length(calls)",
            "running": ["dialing"],
            "completed": ["done"],
            "final_calls": ["answered"],
            "allow_http": True,
            "allow_private": True,
        }
        | fields
    )
    provider = build(settings, deadline=timedelta(seconds=deadline))
    assert isinstance(provider, Generic)
    try:
        yield provider
    finally:
        await provider.close()


def batch(calls: int, *, size: int = 0) -> bytes:
    """Return a batch of so many calls, of so many bytes at least."""
    listed = [{"status": "answered" if n % 2 else "waiting"} for n in range(calls)]
    fields: dict[str, Any] = {"id": "b1", "state": "dialing", "calls": listed, "note": ""}
    fields["note"] = "x" * max(0, size - len(json.dumps(fields)))
    return json.dumps(fields).encode()


async def refusal(provider: Generic) -> PollError:
    with pytest.raises(PollError) as caught:
        await provider.read("b1")
    return caught.value


@pytest.mark.parametrize(("limit", "calls", "size"), [("1MiB", 10_000, 0), ("16MiB", 40_000, 16)])
async def test_a_large_answer_is_read_whole(
    api: MadeUpApi, limit: str, calls: int, size: int
) -> None:
    api.put("/b1", batch(calls, size=size * MIB))

    async with source(api, answer_limit=limit) as provider:
        reading = await provider.read("b1")

    assert reading.counts == {"waiting": calls // 2, "answered": calls // 2}
    assert reading.total_contacts == calls
    assert reading.open_calls == calls // 2


async def test_one_that_goes_beyond_says_its_size_and_is_that_batchs_own_matter(
    api: MadeUpApi,
) -> None:
    api.put("/b1", batch(10, size=3 * MIB))

    async with source(api) as provider:
        error = await refusal(provider)

    assert error.kind is FailureKind.TOO_LARGE
    assert error.reason == "3.0 MiB where 1.0 MiB are allowed by answer_limit"


async def test_one_whose_size_nobody_tells_is_read_no_further(api: MadeUpApi) -> None:
    body = batch(10, size=3 * MIB)
    api.put("/b1", body, chunked=True)

    async with source(api, answer_limit="2MiB") as provider:
        error = await refusal(provider)

    assert error.kind is FailureKind.TOO_LARGE
    assert error.reason == "more than the 2.0 MiB that are allowed by answer_limit"


async def test_one_byte_too_many_is_told_from_what_is_allowed(api: MadeUpApi) -> None:
    api.put("/b1", batch(10, size=MIB + 1))

    async with source(api) as provider:
        error = await refusal(provider)

    assert error.reason == "1,048,577 bytes where 1,048,576 bytes are allowed by answer_limit"


@pytest.mark.parametrize(("limit", "allowed"), [("1MiB", "50,000"), ("2MiB", "100,000")])
async def test_the_bound_on_values_grows_with_the_limit_and_has_a_reason_of_its_own(
    api: MadeUpApi, limit: str, allowed: str
) -> None:
    api.put("/b1", b'{"id": "b1", "state": "dialing", "calls": [' + b"{}," * 100_000 + b"{}]}")

    async with source(api, answer_limit=limit) as provider:
        error = await refusal(provider)
    async with source(api, answer_limit="5MiB") as wider:
        assert (await wider.read("b1")).total_contacts == 100_001

    assert error.kind is FailureKind.TOO_LARGE
    assert error.reason is not None
    assert error.reason.endswith(f"values where {allowed} are allowed by answer_limit")


async def test_a_large_answer_waits_for_room_and_gives_it_back(
    api: MadeUpApi, monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    room = Room(3 * MIB)
    monkeypatch.setattr("monitor.providers.ROOM", room)
    api.put("/b1", batch(10, size=2 * MIB))
    await room.take(2 * MIB)

    async with source(api, answer_limit="2MiB") as provider:
        reading = asyncio.create_task(provider.read("b1"))
        await until(lambda: bool(room._waiting))
        room.give(2 * MIB)
        assert (await reading).total_contacts == 10
    await room.take(3 * MIB)


async def test_one_that_finds_no_room_is_nobodys_fault_but_ours(
    api: MadeUpApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = Room(2 * MIB)
    monkeypatch.setattr("monitor.providers.ROOM", room)
    api.put("/b1", batch(10, size=2 * MIB))
    await room.take(MIB)

    async with source(api, answer_limit="2MiB", deadline=2) as provider:
        error = await refusal(provider)

    assert (error.kind, error.status_code) == (FailureKind.ROOM, None)
    room.give(MIB)
    await room.take(2 * MIB)


async def test_small_answers_need_no_room(api: MadeUpApi, monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(MIB)
    monkeypatch.setattr("monitor.providers.ROOM", room)
    api.put("/b1", batch(10))
    await room.take(MIB)

    async with source(api) as provider:
        assert (await provider.read("b1")).total_contacts == 10


async def test_a_packed_answer_is_bounded_as_it_is_unpacked(api: MadeUpApi) -> None:
    api.put("/b1", batch(10, size=2 * MIB), packed=True)

    async with source(api, answer_limit="2MiB") as fits, source(api) as beyond:
        assert (await fits.read("b1")).total_contacts == 10
        error = await refusal(beyond)

    assert error.kind is FailureKind.TOO_LARGE
    assert error.reason == "more than the 1.0 MiB that are allowed by answer_limit"


@pytest.mark.parametrize(
    ("calls", "body"),
    [
        pytest.param(40_000, batch(40_000, size=16 * MIB - MIB // 16), id="the largest"),
        pytest.param(1_600, batch(1_600), id="a small one that is full of calls"),
        pytest.param(
            15_000, b'{"state": "dialing", "calls": [' + b"{}," * 14_999 + b"{}]}", id="values"
        ),
    ],
)
async def test_nobody_waits_long_for_an_answer(calls: int, body: bytes) -> None:
    """It is counted in CPU seconds of the loop's thread; the server has one of its own."""
    with threaded(body) as origin:
        async with source(origin, answer_limit="16MiB", id=None) as provider:
            await provider.read("b1")  # starts the process
            held = asyncio.create_task(longest_stretch())
            reading = await provider.read("b1")
            held.cancel()

    assert reading.total_contacts == calls
    assert await held <= 0.020


async def longest_stretch() -> float:
    """Return the most CPU seconds that passed in this thread between two turns of its loop."""
    longest, before = 0.0, time.thread_time()
    with suppress(asyncio.CancelledError):
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            longest, before = max(longest, now - before), now
    return longest
