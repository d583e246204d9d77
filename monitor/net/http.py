"""The only HTTP client: one deadline, one bounded body, every failure by its kind.

httpx on aiohttp's transport, by prepared requests: 4,500 to 5,300 a second on one core, where
httpx's own transport makes 280 to 580. And it is the one that may be cancelled, as each deadline
does: httpx's own pool leaks the slot, until all requests get a PoolTimeout
(https://github.com/encode/httpcore/issues/1093).
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, cast

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from yarl import URL

from monitor import __version__
from monitor.core.errors import NetworkError, NetworkKind
from monitor.net.answer import USABLE, Answer, Take
from monitor.net.exchange import Exchange, under_way
from monitor.net.failure import FAILURES, kind_of, tls_reason_of
from monitor.net.guard import socket_factory
from monitor.net.head import HEAD_LIMIT, LINES_LIMIT, AnswerHandler
from monitor.net.lookup import Lookup
from monitor.net.room import Place, Room

if TYPE_CHECKING:
    from aiohttp.client import ClientTimeout
    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

STREAM_LIMIT: Final = 64 * 1024 * 1024
"""In bytes, of a body that nobody holds."""


class _PreparedRequest(httpx.Request):
    """Exactly what the aiohttp transport reads of a request.

    httpx's own constructor parses the URL, which aiohttp parses again, and normalises headers:
    a third of the CPU time of a whole small request (222 against 149 µs, measured).
    """

    def __init__(self, method: str, url: str, headers: Mapping[str, str], content: bytes) -> None:
        self.method = method
        self.url = cast("httpx.URL", url)
        self.headers = cast("httpx.Headers", headers)
        self.extensions = {}
        self._content = content


class _Connector(aiohttp.TCPConnector):
    """Let a request know who takes its answer."""

    async def connect(
        self,
        req: "ClientRequest",
        traces: list["Trace"],
        timeout: "ClientTimeout",  # noqa: ASYNC109 (aiohttp's signature)
    ) -> "Connection":
        connection = await super().connect(req, traces, timeout)
        handler = cast("AnswerHandler", connection.protocol)
        handler.expect()
        under_way.get().handler = handler
        return connection


class HttpClient:
    """Send requests to one source or receiver over warm connections.

    Redirects are answers, cookies and the environment's proxies are ignored, and addresses pass
    the guard. Must be used in one event loop; the session opens with the first request.

    The head of an answer that is no document, a 401 say, decides: what breaks after it is no
    failure. With `success_waits` so does that of any other: its body is cut at the limit, and
    waited for so long. What large answers fill together is bounded by the `room`, which several
    clients share, and of which one may take half.
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext,
        allow_private: bool,
        keepalive: timedelta,
        body_limit: int,
        room: Room | None = None,
        success_waits: timedelta | None = None,
        connections: int = 100,
    ) -> None:
        self._tls = tls
        self._allow_private = allow_private
        self._keepalive = keepalive
        self._body_limit = body_limit
        self._rooms = () if room is None else (Room(max(body_limit, room.size // 2)), room)
        self._success_waits = success_waits
        self._connections = connections
        self._headers = {
            "User-Agent": f"batch-monitor/{__version__}",
            "Accept-Encoding": "identity",
        }
        self._lookup = Lookup()
        self._transport = AiohttpTransport(verify=tls, client=self._open_session)
        self._closed = False

    async def get(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        deadline: timedelta,
        take: Take | None = None,
        place: Place | None = None,
    ) -> Answer:
        """Return the answer to a GET; raise NetworkError if none came by the deadline.

        `take` gets the body of a document as it comes: the answer then holds none. A `place` keeps
        the room for the body until its owner leaves it; without one it is free again at once.
        """
        request = _PreparedRequest("GET", url, headers, b"")
        return await self._request(request, deadline, take, place)

    def place(self) -> Place:
        """Return a place for an answer, whose owner leaves it when the answer is done with."""
        return Place(*self._rooms)

    async def post(
        self, url: str, headers: Mapping[str, str], content: bytes, *, deadline: timedelta
    ) -> Answer:
        """Return the answer to a POST; raise NetworkError if none came by the deadline."""
        return await self._request(_PreparedRequest("POST", url, headers, content), deadline)

    async def close(self) -> None:
        """Close all connections: what is under way fails as `disconnected`, later as `connect`."""
        self._closed = True
        await self._transport.aclose()

    def _open_session(self) -> aiohttp.ClientSession:
        connector = _Connector(
            limit=self._connections,
            keepalive_timeout=self._keepalive.total_seconds(),
            resolver=self._lookup,
            ssl=self._tls,
            socket_factory=socket_factory(allow_private=self._allow_private),
        )
        # there is no public way; a partial is invariant
        taking = partial(AnswerHandler, loop=asyncio.get_running_loop())
        connector._factory = taking  # type: ignore[assignment]
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=self._headers,
            trust_env=False,
            max_line_size=HEAD_LIMIT,
            max_field_size=HEAD_LIMIT,
            max_headers=LINES_LIMIT,
        )
        # there is no public way: it would decode `%2F` in a query, which breaks signed URLs
        session._build_url = partial(URL, encoded=True)  # type: ignore[method-assign]
        return session

    async def _request(
        self,
        request: httpx.Request,
        deadline: timedelta,
        take: Take | None = None,
        place: Place | None = None,
    ) -> Answer:
        if self._closed:
            raise NetworkError(NetworkKind.CONNECT)
        own = self.place()
        exchange = Exchange(limit=self._body_limit, place=place or own)
        under_way.set(exchange)
        try:
            return await self._try(exchange, request, deadline, take)
        finally:
            exchange.forget()
            own.leave()

    async def _try(
        self, exchange: Exchange, request: httpx.Request, deadline: timedelta, take: Take | None
    ) -> Answer:
        try:
            async with asyncio.timeout(deadline.total_seconds()) as exchange.timer:
                return await self._send(exchange, request, take)
        except FAILURES as error:
            kind, reason = kind_of(error), tls_reason_of(error)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self._closed or task is None or task.cancelling():
                raise
            kind, reason = NetworkKind.DISCONNECTED, None  # aiohttp cancels look-ups as it closes
        if exchange.status is not None and self._decides(exchange.status):
            return exchange.answer(exchange.status)
        if kind is NetworkKind.TIMEOUT and exchange.handler is None and self._lookup.unanswered:
            kind = NetworkKind.DNS
        # Outside of the handler: the foreign error, whose text holds the URL, is not even chained.
        raise NetworkError(kind, reason)

    async def _send(self, exchange: Exchange, request: httpx.Request, take: Take | None) -> Answer:
        response = await self._transport.handle_async_request(request)
        status = response.status_code
        exchange.note_headers(response.headers.raw)
        stream = cast("httpx.AsyncByteStream", response.stream)
        try:
            async with aclosing(cast("AsyncGenerator[bytes, None]", aiter(stream))) as parts:
                if self._decides(status):
                    async with asyncio.timeout(self._patience(status)):
                        await exchange.read_some(parts)
                    return exchange.answer(status)
                if take is None:
                    return exchange.answer_with(status, await exchange.read_whole(parts))
                await exchange.pour(parts, take, limit=STREAM_LIMIT)
                return exchange.answer_with(status, b"")
        finally:
            # Returns the connection for reuse after the last byte, and closes it before.
            await stream.aclose()

    def _decides(self, status: int) -> bool:
        """Return whether an answer counts from its head on."""
        return self._success_waits is not None or status not in USABLE

    def _patience(self, status: int) -> float | None:
        """Return for how many seconds a body is waited for at most; None: up to the deadline."""
        waits = self._success_waits
        return waits.total_seconds() if waits is not None and 200 <= status < 300 else None
