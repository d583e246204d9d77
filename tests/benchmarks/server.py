"""A minimal HTTP server of our own: batches, webhooks, and when the webhooks came.

It stands in for nginx where that is missing, and serves what nginx cannot: documents whose counts
change with every request, and the times at which webhooks arrived.
"""

import asyncio
import json
import re
import signal
import sys
import time
from typing import cast

import uvloop

from tests.benchmarks.documents import DOCUMENT

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Ledger:
    """Count what was served, and keep the webhooks with their times of arrival."""

    def __init__(self, *, moving: bool) -> None:
        self.moving = moving
        self.served = 0
        self.webhooks: list[tuple[float, bytes]] = []

    def answer(self, method: bytes, path: str, body: bytes) -> bytes:
        """Return the body that answers a request."""
        self.served += 1
        if method == b"POST":
            self.webhooks.append((time.time(), body))
            return b""
        if path == "/served":  # in the words of nginx's stub_status
            return b" 0 0 %d \n" % self.served
        if path == "/arrivals":
            events = [(at, json.loads(body)) for at, body in self.webhooks]
            return json.dumps(
                [(at, event["time"]) for at, event in events if "id" in event]
            ).encode()
        completed = self.served if self.moving else 1
        return (DOCUMENT % (path.rpartition("/")[2], completed)).encode()


class Connection(asyncio.Protocol):
    """Answer one client, request after request."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's says nothing of itself

    def data_received(self, data: bytes) -> None:
        """Answer the requests that are whole."""
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end]
            length = _LENGTH.search(head)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._received) < whole:
                return
            body, self._received = self._received[end + 4 : whole], self._received[whole:]
            method, path, _ = head.split(b" ", 2)
            answer = self._ledger.answer(method, path.decode(), body)
            assert self._transport is not None
            self._transport.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
                % (len(answer), answer)
            )


async def serve(port: int, *, moving: bool) -> None:
    """Serve until terminated."""
    loop = asyncio.get_running_loop()
    ledger = Ledger(moving=moving)
    end = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, end.set)
    server = await loop.create_server(lambda: Connection(ledger), "127.0.0.1", port)
    await end.wait()
    server.close()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), moving="moving" in sys.argv))
