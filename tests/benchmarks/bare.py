"""The bare loops: what the same requests cost with nothing round them.

Each runs in a process of its own, on uvloop as the daemon does, over connections that are warm
before anything is counted. It counts its CPU by its own process clock, all threads included.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import cycle
from typing import Any, Final

import aiohttp
import httpx
import uvloop
from httpx_aiohttp import AiohttpTransport

from monitor.sinks.signature import parse_keys, sign
from tests.benchmarks.documents import batch_ids
from tests.benchmarks.settings import SECRET, SLOTS
from tests.benchmarks.spent import Spent

CONCURRENCY: Final = 100
WARMING: Final = 0.2
"""Part of the time that goes before, uncounted."""

Work = Callable[[], Awaitable[Any]]


def run_bare(loop: str, url: str, *, seconds: float, batches: int = 1000) -> Spent:
    """Run one of the loops in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.bare", loop, url, str(seconds), str(batches)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return Spent(**json.loads(done.stdout))


@asynccontextmanager
async def client_loop(url: str, ids: list[str]) -> AsyncIterator[Work]:
    """Read by `AsyncClient.get` and `json.loads`, on the transport that the daemon uses."""
    urls = cycle([f"{url}/batches/{id_}" for id_ in ids])
    async with _transport() as transport, httpx.AsyncClient(transport=transport) as client:

        async def read() -> None:
            json.loads((await client.get(next(urls))).content)

        yield read


@asynccontextmanager
async def reused_loop(url: str, ids: list[str]) -> AsyncIterator[Work]:
    """Read by requests that were all prepared before, straight through that transport."""
    requests = cycle([httpx.Request("GET", f"{url}/batches/{id_}") for id_ in ids])
    async with _transport() as transport:

        async def read() -> None:
            json.loads(await _exchange(transport, next(requests)))

        yield read


@asynccontextmanager
async def prepared_loop(url: str, ids: list[str]) -> AsyncIterator[Work]:
    """Prepare a request for each read, and send it straight through that transport."""
    urls = cycle([f"{url}/batches/{id_}" for id_ in ids])
    async with _transport() as transport:

        async def read() -> None:
            json.loads(await _exchange(transport, httpx.Request("GET", next(urls))))

        yield read


@asynccontextmanager
async def default_loop(url: str, ids: list[str]) -> AsyncIterator[Work]:
    """Read by `AsyncClient.get` and `json.loads`, on httpx's default transport and limits.

    By these it keeps 20 connections and makes the others anew. That is its best: told to keep all
    100, it goes through all of them for each request, and costs three times as much.
    """
    urls = cycle([f"{url}/batches/{id_}" for id_ in ids])
    async with httpx.AsyncClient(timeout=60) as client:

        async def read() -> None:
            json.loads((await client.get(next(urls))).content)

        yield read


@asynccontextmanager
async def post_loop(url: str, ids: list[str]) -> AsyncIterator[Work]:
    """Sign an event's body, prepare its request and post it, straight through that transport."""
    bodies = cycle([(f"evt_{id_[:26]}", event_body(id_)) for id_ in ids])
    keys = parse_keys(SECRET)
    async with _transport() as transport:

        async def post() -> None:
            event_id, body = next(bodies)
            now = int(time.time())
            headers = {
                "content-type": "application/json",
                "webhook-id": event_id,
                "webhook-timestamp": str(now),
                "webhook-signature": sign(keys, event_id=event_id, timestamp=now, body=body),
            }
            request = httpx.Request("POST", f"{url}/hook", headers=headers, content=body)
            await _exchange(transport, request)

        yield post


LOOPS: Final = {
    "client": (client_loop, CONCURRENCY),
    "prepared": (prepared_loop, CONCURRENCY),
    "reused": (reused_loop, CONCURRENCY),
    "default": (default_loop, CONCURRENCY),
    "post": (post_loop, SLOTS),
}


def event_body(batch_id: str) -> bytes:
    """Return a body as large as that of an event about new counts."""
    return json.dumps({"subject": batch_id, "data": "x" * 1000}).encode()


@asynccontextmanager
async def _transport() -> AsyncIterator[AiohttpTransport]:
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=CONCURRENCY), cookie_jar=aiohttp.DummyCookieJar()
    )
    async with session:
        yield AiohttpTransport(client=session)


async def _exchange(transport: AiohttpTransport, request: httpx.Request) -> bytes:
    response = await transport.handle_async_request(request)
    assert response.status_code == 200
    assert isinstance(response.stream, httpx.AsyncByteStream)
    body = b"".join([part async for part in response.stream])
    await response.stream.aclose()
    return body


async def _measure(work: Work, *, concurrency: int, seconds: float) -> Spent:
    """Do the work so often at once: first to warm up, then counted."""
    await _repeat(work, concurrency=concurrency, seconds=seconds * WARMING)
    began = time.process_time()
    done = await _repeat(work, concurrency=concurrency, seconds=seconds)
    return Spent(done=done, cpu=time.process_time() - began)


async def _repeat(work: Work, *, concurrency: int, seconds: float) -> int:
    done, end = 0, time.monotonic() + seconds

    async def keep_on() -> None:
        nonlocal done
        while time.monotonic() < end:
            await work()
            done += 1

    await asyncio.gather(*(keep_on() for _ in range(concurrency)))
    return done


async def _main(name: str, url: str, seconds: float, batches: int) -> None:
    loop, concurrency = LOOPS[name]
    async with loop(url, batch_ids(batches)) as work:
        spent = await _measure(work, concurrency=concurrency, seconds=seconds)
    print(json.dumps({"done": spent.done, "cpu": spent.cpu}))


if __name__ == "__main__":
    uvloop.run(_main(sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])))
