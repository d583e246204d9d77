"""A hostile peer: a server of raw bytes that plays one fault at a time, and is healthy between."""

import asyncio
import re
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

DATA: Final = Path(__file__).parent / "data"
TRUSTED: Final = Path(__file__).parents[2] / "net" / "data" / "localhost.pem"
OK: Final = b"HTTP/1.1 200 OK\r\n"
DOCUMENT: Final = (
    b'{"ok": true, "batch_id": "b1", "status": "running", "execution_status": {"ringing": 7}}'
)
"""Bolna's, and enough for Slack."""
HEALTHY: Final = OK + b"Content-Length: %d\r\n\r\n" % len(DOCUMENT) + DOCUMENT
_TURNS: Final = 20
"""Of the loop, on which the other side runs too, until it has read what has arrived."""
CLOSING: Final = HEALTHY.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)


class Line:
    """One accepted connection, as a fault handles it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.waits = False
        """Whether it waits for a request."""

    async def hear(self, until: bytes = b"\r\n\r\n") -> None:
        """Read a whole request, or its beginning up to some bytes."""
        self.waits = True
        head = await self._reader.readuntil(until)
        self.waits = False
        length = re.search(rb"content-length: (\d+)\r", head.lower())
        if length:
            await self._reader.readexactly(int(length[1]))

    async def hear_some(self) -> None:
        """Read whatever comes first."""
        await self._reader.read(1000)

    async def hear_end(self) -> None:
        """Wait until the other side hangs up; say nothing."""
        while await self._reader.read(65536):
            pass

    async def say(self, *parts: bytes, pause: float = 0.0) -> None:
        """Send bytes; parts with a pause between arrive one by one."""
        for number, part in enumerate(parts):
            if number and pause:
                await asyncio.sleep(pause)
            if self._writer.is_closing():
                raise ConnectionResetError
            self._writer.write(part)
            await self._writer.drain()

    async def reset(self) -> None:
        """Send RST, once the bytes before it have been read: it overtakes them."""
        await be_read()
        raw: socket.socket = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.cut()
        await be_read()

    def cut(self) -> None:
        """Hang up, in the midst of TLS too."""
        self._writer.transport.abort()


async def be_read() -> None:
    """Return when the other side has read, or noticed, what has become of the connection."""
    for _ in range(_TURNS):
        await asyncio.sleep(0)


Act = Callable[[Line], Awaitable[None]]


async def be_healthy(line: Line) -> None:
    """Answer one request, and hang up."""
    await line.hear()
    await line.say(CLOSING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """Say what a provider and a sink must make of a fault."""

    read: str
    """The kind of the failure, or `ok`."""
    sent: str
    """The verdict, and its error or the status."""
    posted: str | None = None
    """That of Slack, where it is another one: what Slack says must be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Name a fault, how it is played, and what it must be taken for."""

    name: str
    act: Act = be_healthy
    means: Meaning
    port: Literal["open", "closed", "full"] = "open"
    """`closed` refuses connections, `full` lets them wait for ever."""
    resolved: tuple[str, ...] | None = ("127.0.0.1",)
    """What the name resolves to; nothing: there is no such name; None: no answer."""
    tls: bool = False
    """It is one of HTTPS."""
    shown: ssl.SSLContext | None = None
    """Whose certificate is shown instead of the peer's own."""
    raw: bool = False
    """There is no TLS where there should be."""
    warm: bool = False
    """The connections have served a healthy request before; they wait, or have ended."""
    lasts: bool = False
    """Only the deadline ends it."""


@dataclass(slots=True)
class Peer:
    """Listen on one port of loopback, for HTTP or for HTTPS."""

    fault: Fault | None = None
    tls: ssl.SSLContext | None = None
    port: int = 0
    warmed_up: bool = False
    """Whether all connections of a warm fault are there: further ones are healthy."""
    lines: set[Line] = field(default_factory=set)
    _server: asyncio.Server | None = None
    _shown: ssl.SSLContext | None = None
    _crowd: list[socket.socket] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def play(self, fault: Fault | None) -> None:
        """Hang up everywhere, and play a fault from now on.

        None: be healthy; connections that were kept are kept.
        """
        if fault is not None:
            await self.hang_up()
        self.fault, self.warmed_up = fault, False
        shown = None if fault and fault.raw else (fault and fault.shown) or self.tls
        port = fault.port if fault else "open"
        if port == "open" and self._server is not None and shown is self._shown:
            return
        self._shut()
        match port:
            case "open":
                await self._open(shown)
            case "full":
                self._fill()
            case "closed":
                pass

    async def close(self) -> None:
        """End all connections, and listen no more."""
        await self.hang_up()
        self._shut()

    @property
    def resolved(self) -> tuple[str, ...] | None:
        """Return what its name resolves to now."""
        return self.fault.resolved if self.fault else ("127.0.0.1",)

    @property
    def quiet(self) -> bool:
        """Tell whether no request is under way."""
        return all(line.waits for line in self.lines)

    async def hang_up(self) -> None:
        """End all connections; return when the other side has noticed."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await be_read()

    async def _open(self, shown: ssl.SSLContext | None) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, ssl=shown)
        self._shown = shown
        self.port = self._server.sockets[0].getsockname()[1]

    def _shut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for one in self._crowd:
            one.close()
        self._crowd.clear()

    def _fill(self) -> None:
        """Listen with a queue that is full: the kernel drops every further SYN."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(0)
        self._crowd.append(listener)
        for _ in range(4):
            one = socket.socket()
            one.setblocking(False)
            self._crowd.append(one)
            with suppress(BlockingIOError):
                one.connect(("127.0.0.1", self.port))

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line, task = Line(reader, writer), asyncio.current_task()
        assert task is not None
        self.lines.add(line)
        self._tasks.add(task)
        try:
            act = be_healthy if self.fault is None or self.warmed_up else self.fault.act
            await act(line)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the other side has had enough
        except asyncio.CancelledError:
            line.cut()
        finally:
            self.lines.discard(line)
            self._tasks.discard(task)
            writer.close()


def server_tls(certificate: Path, key: Path | None = None) -> ssl.SSLContext:
    """Return what a server with this certificate shakes hands by."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key or TRUSTED.with_suffix(".key"))
    return context
