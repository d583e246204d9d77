"""A pool in front of a Postgres server, as PgBouncer is one: it lends its few sessions to many."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy.engine import make_url

from tests.proxy import open_server

Mode = Literal["transaction", "session"]
"""When a client gives its server session back: after each transaction, or at its own end."""

_ENCRYPTION: Final = {80877103, 80877104}
_GOODBYE: Final = b"X"
_LAST_OF_ITS_KIND: Final = {b"Q", b"S", b"F"}
"""What a client sends that the server answers up to `ReadyForQuery`."""


@dataclass(frozen=True, slots=True)
class Session:
    """Hold a session with the server, and how it greeted."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    greeting: bytes


class Pool:
    """Speak PostgreSQL's protocol (version 3) with both sides, for servers without passwords."""

    def __init__(self, url: str, mode: Mode, *, in_turn: bool) -> None:
        """Take the URL of a database.

        It lends the last server that was given back, or two in turn, as PgBouncer may.
        """
        self._target = make_url(url)
        self._mode = mode
        self._in_turn = in_turn
        self._idle: list[Session] = []
        self._opened: list[Session] = []
        self._port = 0
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[Any]] = set()

    @property
    def url(self) -> str:
        """Return the same database's URL, by way of the pool."""
        through = self._target.set(host="127.0.0.1", port=self._port, query={})
        return through.render_as_string(hide_password=False)

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """End all sessions, on both sides."""
        assert self._server is not None
        self._server.close()
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        for session in self._opened:
            session.writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        task.add_done_callback(self._clients.discard)
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            await self._serve_client(reader, writer)
        writer.transport.abort()

    async def _serve_client(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        startup = await _read_startup(reader)
        while struct.unpack("!I", startup[:4])[0] in _ENCRYPTION:
            writer.write(b"N")
            startup = await _read_startup(reader)
        session = await self._borrow(startup)
        writer.write(session.greeting)
        self._idle.append(session)
        held: Session | None = None  # one whose client goes is not lent again
        while (received := await _read_message(reader))[0] != _GOODBYE:
            kind, message = received
            held = held or await self._borrow(startup)
            held.writer.write(message)
            idle = kind in _LAST_OF_ITS_KIND and await _answer(held, writer)
            if idle and self._mode == "transaction":
                self._idle.append(held)
                held = None

    async def _borrow(self, startup: bytes) -> Session:
        if self._in_turn and len(self._opened) > 1:
            return self._idle.pop(0)
        if self._idle and not self._in_turn:
            return self._idle.pop()
        reader, writer = await open_server(self._target)
        writer.write(struct.pack("!I", len(startup) + 4) + startup)
        greeting = b""
        kind = b""
        while kind != b"Z":
            kind, message = await _read_message(reader)
            greeting += message
        session = Session(reader, writer, greeting)
        self._opened.append(session)
        return session


async def _answer(session: Session, writer: asyncio.StreamWriter) -> bool:
    """Pass the server's answer on; tell whether no transaction is open after it."""
    while True:
        kind, message = await _read_message(session.reader)
        writer.write(message)
        if kind == b"Z":
            return message[-1:] == b"I"


async def _read_startup(reader: asyncio.StreamReader) -> bytes:
    (length,) = struct.unpack("!I", await reader.readexactly(4))
    return await reader.readexactly(length - 4)


async def _read_message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readexactly(5)
    kind, length = struct.unpack("!cI", head)
    return kind, head + await reader.readexactly(length - 4)


@asynccontextmanager
async def run_pool(url: str, mode: Mode, *, in_turn: bool = False) -> AsyncIterator[Pool]:
    """Run a pool."""
    pool = Pool(url, mode, in_turn=in_turn)
    await pool.start()
    try:
        yield pool
    finally:
        await pool.stop()
