import asyncio
import re
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import uvloop

from monitor.net.http import HttpClient
from monitor.net.tls import tls_context
from tests.faults.network.hostile_peer import be_read

HEALTHY = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok"


class Peer:
    """A real server that answers each request by the bytes that the test says."""

    def __init__(self) -> None:
        self.port = 0
        self.connections = 0
        self.requests: list[bytes] = []
        self.bodies: list[bytes] = []
        self.asked = asyncio.Event()
        """Set by each request."""
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(
        self,
        *parts: bytes,
        then: str = "keep",
        tls: ssl.SSLContext | None = None,
        greeting: bytes = b"",
    ) -> str:
        """Start one more server and return its URL; without parts it is a healthy one.

        After the parts it keeps, closes or resets the connection, or drips bytes for ever.
        """

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections += 1
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            writer.write(greeting)
            try:
                while True:
                    await self._read(reader)
                    await _answer(writer, parts or (HEALTHY,), then)
            except asyncio.CancelledError:
                writer.transport.abort()  # to close waits for whoever reads no more
            except (OSError, asyncio.IncompleteReadError):
                pass
            finally:
                self._tasks.discard(task)
                writer.close()

        server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
        self._servers.append(server)
        self.port = server.sockets[0].getsockname()[1]
        return f"http{'s' if tls else ''}://127.0.0.1:{self.port}/batches/1"

    async def _read(self, reader: asyncio.StreamReader) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head.lower())
        self.requests.append(head)
        self.bodies.append(await reader.readexactly(int(length[1])) if length else b"")
        self.asked.set()

    async def close(self) -> None:
        for server in self._servers:
            server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _answer(writer: asyncio.StreamWriter, parts: tuple[bytes, ...], then: str) -> None:
    for part in parts:
        writer.write(part)
        await be_read()  # else they arrive as one, and RST overtakes them
    while then == "drip" and not writer.is_closing():
        writer.write(b"x")
        await asyncio.sleep(0.01)
    if then == "reset":
        linger: socket.socket = writer.get_extra_info("socket")
        linger.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    elif then == "close":
        writer.close()


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    peer = Peer()
    yield peer
    await peer.close()


@pytest.fixture
async def make_client() -> AsyncIterator[Callable[..., HttpClient]]:
    """Make clients of one connection (a leaked one blocks the next request), closed at the end."""
    made: list[HttpClient] = []

    def make(**overrides: Any) -> HttpClient:
        settings: dict[str, Any] = {
            "tls": tls_context(None),
            "allow_private": True,
            "keepalive": timedelta(seconds=5),
            "body_limit": 1000,
            "connections": 1,
        }
        made.append(HttpClient(**(settings | overrides)))
        return made[-1]

    yield make
    for client in made:
        await client.close()


@pytest.fixture
def client(make_client: Callable[..., HttpClient]) -> HttpClient:
    return make_client()


@pytest.fixture
def certificate() -> Path:
    """A self-signed certificate for localhost and 127.0.0.1, made for these tests alone."""
    return Path(__file__).parent / "data" / "localhost.pem"


@pytest.fixture
def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    return context


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run every test on both loops: they name some failures differently."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
