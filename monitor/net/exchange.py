"""One request: what has come of its answer, and its body in the way it is to be read."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing, suppress
from contextvars import ContextVar
from itertools import islice
from typing import TYPE_CHECKING, Final

from monitor.core.errors import NetworkError, NetworkKind
from monitor.net.answer import Answer, Take
from monitor.net.body import MARK, Body, is_plain
from monitor.net.room import SMALL, Place

if TYPE_CHECKING:
    from monitor.net.head import AnswerHandler

_HEADERS: Final = frozenset(
    {b"content-encoding", b"content-length", b"content-type", b"retry-after"}
)
"""Those that we read."""
_AT_A_STRETCH: Final = 1024 * 1024
"""In bytes, of a packed body: then others have their turn."""


class Exchange:
    """What has come of the answer to one request."""

    def __init__(self, *, limit: int, place: Place) -> None:
        self.handler: AnswerHandler | None = None
        """Who takes the answer, once the request has a connection."""
        self.timer: asyncio.Timeout = asyncio.timeout(None)
        """The request's deadline."""
        self._limit = limit
        """Of the body, in bytes."""
        self._place = place
        self._headers: dict[bytes, str] = {}
        self._parts: list[bytes] = []

    @property
    def status(self) -> int | None:
        """Return the answer's status as soon as its first line is there."""
        return self.handler.status if self.handler is not None else None

    def note_headers(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        """Keep the headers that we read; several of one name are a list (RFC 9110, 5.3)."""
        for key, value in raw:
            if (name := key.lower()) in _HEADERS:
                text = value.decode("latin-1")
                before = self._headers.get(name)
                self._headers[name] = text if before is None else f"{before}, {text}"

    async def read_some(self, parts: AsyncIterator[bytes]) -> None:
        """Read what is of use of a body whose head decides, and no further."""
        room = min(SMALL, self._limit)
        async for part in parts:
            self._parts.append(part)
            room -= len(part)
            if room < 0:
                break

    async def read_whole(self, parts: AsyncIterator[bytes]) -> bytes:
        """Return a whole body, in UTF-8; raise NetworkError for one beyond the limit."""
        if not is_plain(*self._coding):  # else a faster way
            async with aclosing(self._unpack(parts)) as plain:
                return await self._gather(plain, self._limit)
        declared = self._declared
        if declared > self._limit:
            raise self._too_large(declared)
        return (await self._gather(parts, declared or self._limit)).removeprefix(MARK)

    async def _gather(self, parts: AsyncIterator[bytes], size: int) -> bytes:
        """Return all parts, of `size` bytes at most by what is known; a large body needs room."""
        held, enough = 0, min(SMALL, self._limit)
        async for part in parts:
            self._parts.append(part)
            held += len(part)
            if held > enough:
                if held > self._limit:
                    raise self._too_large(None)
                await self._make_room(size)
                enough = self._limit
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)

    async def pour(self, parts: AsyncIterator[bytes], take: Take, *, limit: int) -> None:
        """Hand a body over as it comes, in UTF-8; what it is unpacked to is limited."""
        async with aclosing(self._unpack(parts)) as plain:
            async for part in plain:
                limit -= len(part)
                if limit < 0:
                    raise NetworkError(NetworkKind.TOO_LARGE)
                take(part)

    async def _unpack(self, parts: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """Yield a body in UTF-8 as it comes; others have their turn where little holds much."""
        body, stretch = Body(*self._coding), 0
        async for part in parts:
            for plain in body.take(part):
                yield plain
                stretch += len(plain)
                if stretch > _AT_A_STRETCH:
                    stretch = 0
                    await asyncio.sleep(0)
        for plain in body.end():
            yield plain

    async def _make_room(self, size: int) -> None:
        """Wait for room for so many bytes; raise NetworkError if none comes within the deadline.

        Meanwhile the deadline of the request stands still: its answer is there, and waits for us.
        """
        clock = asyncio.get_running_loop().time
        due_at, began = self.timer.when() or 0.0, clock()
        self.timer.reschedule(None)
        try:
            async with asyncio.timeout_at(due_at):
                await self._place.take(size)
        except TimeoutError:
            raise NetworkError(NetworkKind.ROOM) from None
        self.timer.reschedule(due_at + clock() - began)

    def answer(self, status: int) -> Answer:
        """Return the answer with what can be read of a body that may be longer, or broken."""
        return self.answer_with(status, self._cut())

    def answer_with(self, status: int, body: bytes) -> Answer:
        """Return the answer with this body."""
        retry_after = self._headers.get(b"retry-after")
        if retry_after is None and status >= 400 and self.handler is not None:
            retry_after = self.handler.retry_after  # of a head that aiohttp's parser refused
        return Answer(status_code=status, body=body, retry_after=retry_after)

    def forget(self) -> None:
        """Let go of all that came: each connection's callbacks keep the exchange that opened it."""
        self.handler = None
        self._headers, self._parts = {}, []

    def _too_large(self, size: int | None) -> NetworkError:
        """Make the error of a body of so many bytes; none if nobody said how many come."""
        if size is None:
            reason = f"more than the {_write(self._limit)} that are allowed"
            return NetworkError(NetworkKind.TOO_LARGE, reason)
        write = _write if _write(size) != _write(self._limit) else "{:,} bytes".format
        reason = f"{write(size)} where {write(self._limit)} are allowed"
        return NetworkError(NetworkKind.TOO_LARGE, reason)

    @property
    def _declared(self) -> int:
        """Return how long the body is by its head, in bytes; 0 if it does not say."""
        length = self._headers.get(b"content-length", "")
        return int(length) if length.isascii() and length.isdigit() else 0

    @property
    def _coding(self) -> tuple[str | None, str | None]:
        return self._headers.get(b"content-encoding"), self._headers.get(b"content-type")

    def _cut(self) -> bytes:
        raw = b"".join(self._parts)[: self._limit]
        if is_plain(*self._coding):
            return raw.removeprefix(MARK)
        with suppress(NetworkError):
            return b"".join(islice(Body(*self._coding).take(raw), 2))[: self._limit]
        return b""


def _write(size: int) -> str:
    """Write a number of bytes for people."""
    return f"{size / 2**20:.1f} MiB" if size >= 2**20 else f"{size / 2**10:.1f} KiB"


under_way: ContextVar[Exchange] = ContextVar("under_way")
"""The exchange of the request that this task makes."""
