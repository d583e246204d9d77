"""A proxy in front of a Postgres server, which can hold everything back as a frozen server does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from sqlalchemy.engine import URL, make_url


class Proxy:
    """Pass bytes on both ways; while held nothing passes, and new connections are left hanging."""

    def __init__(self, url: str) -> None:
        """Take the URL of a database, reached by a unix socket or by TCP."""
        self._target = make_url(url)
        self._open = asyncio.Event()
        self._open.set()
        self._port = 0
        self.waiting = 0
        """Connections that wait to be let through."""
        self.held = 0
        """Pieces of traffic that were held back so far."""
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[Any]] = set()

    @property
    def url(self) -> str:
        """Return the same database's URL, by way of the proxy."""
        query = {k: v for k, v in self._target.query.items() if k not in {"host", "port"}}
        through = self._target.set(host="127.0.0.1", port=self._port, query=query)
        return through.render_as_string(hide_password=False)

    def hold(self) -> None:
        """Let nothing pass."""
        self._open.clear()

    def release(self) -> None:
        """Let everything pass, also what waited."""
        self._open.set()

    def lead_to(self, url: str) -> None:
        """Lead new connections to another server, as a name does whose address has changed."""
        self._target = make_url(url)

    async def start(self) -> None:
        """Listen; after `stop`, on the same port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and all connections, as when the server is stopped."""
        assert self._server is not None
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        try:
            there, back = await self._let_through()
        except (asyncio.CancelledError, OSError):  # stopped, or nobody is there
            writer.close()
            return
        try:
            await asyncio.gather(self._pass_on(reader, back), self._pass_on(there, writer))
        except asyncio.CancelledError:  # by stop: asyncio's streams would log one that goes further
            for side in (writer, back):  # to close waits for whoever reads no more
                side.transport.abort()
        finally:
            writer.close()
            back.close()

    async def _let_through(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self.waiting += 1
        await self._open.wait()
        self.waiting -= 1
        return await open_server(self._target)

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await source.read(65536):
                self.held += not self._open.is_set()
                await self._open.wait()
                sink.write(data)
                await sink.drain()
        with suppress(OSError):
            sink.write_eof()


async def open_server(url: URL) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to a server, by a unix socket or by TCP."""
    folder = url.query.get("host")
    if isinstance(folder, str):
        port = url.query.get("port") or url.port or 5432
        return await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.{port}")
    return await asyncio.open_connection(url.host, url.port or 5432)


@asynccontextmanager
async def run_proxy(url: str) -> AsyncIterator[Proxy]:
    """Run a proxy."""
    proxy = Proxy(url)
    await proxy.start()
    try:
        yield proxy
    finally:
        proxy.release()
        await proxy.stop()
