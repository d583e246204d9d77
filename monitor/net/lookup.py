"""Names to addresses: looked up in threads of our own, so that a dead name holds up nobody else."""

import asyncio
import socket
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import Any, Final, TypeAlias

from aiohttp.abc import AbstractResolver, ResolveResult

LOOKUP_TIMEOUT: Final = 8.0
"""Seconds for one look-up: the system's own asks a server twice, and gives it five for each."""
STALE_AFTER: Final = 0.5
"""Seconds after which the last address serves, where there is one."""

_Key: TypeAlias = tuple[str, int, int]
_PASSING: Final = frozenset({socket.EAI_AGAIN, socket.EAI_FAIL})
"""What a resolver says of a name that nobody answered for; its other words are answers."""


class Lookup(AbstractResolver):
    """Ask the system for addresses, one look-up of a name at a time.

    The event loops share four threads among all who look up: six names that nobody answers for kept
    all others waiting for most of a minute (measured). A client mostly asks for one host and port:
    that takes one thread, however long the system takes, and none is waited for at the end.
    """

    def __init__(self) -> None:
        self._under_way: dict[_Key, asyncio.Future[list[ResolveResult]]] = {}
        self._last: dict[_Key, list[ResolveResult]] = {}

    @property
    def unanswered(self) -> bool:
        """Return whether there is a name without any address yet, whose answer is awaited."""
        return any(key not in self._last for key in self._under_way)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a name; raise OSError if there are none, or none in time."""
        key = (host, port, family)
        last = self._last.get(key)
        try:
            asked = self._under_way.get(key) or self._ask(key)
            async with asyncio.timeout(LOOKUP_TIMEOUT if last is None else STALE_AFTER):
                return await asyncio.shield(asked)
        except TimeoutError as error:
            if last is not None:
                return last
            raise socket.gaierror(socket.EAI_AGAIN, "nobody answers for the name") from error
        except OSError as error:
            answered = isinstance(error, socket.gaierror) and error.errno not in _PASSING
            if last is None or answered:
                raise
            return last

    async def close(self) -> None:
        """Do nothing: whoever still looks up is waited for by nobody."""

    def _ask(self, key: _Key) -> "asyncio.Future[list[ResolveResult]]":
        loop = asyncio.get_running_loop()
        asked: asyncio.Future[list[ResolveResult]] = loop.create_future()
        asked.add_done_callback(lambda done: self._note(key, done))
        try:
            Thread(target=_look_up, args=(key, loop, asked), name="lookup", daemon=True).start()
        except RuntimeError as error:  # the system gives no more threads
            raise socket.gaierror(socket.EAI_AGAIN, "no thread for a look-up") from error
        self._under_way[key] = asked
        return asked

    def _note(self, key: _Key, done: "asyncio.Future[list[ResolveResult]]") -> None:
        del self._under_way[key]
        if not done.cancelled() and done.exception() is None:
            self._last[key] = done.result()


def _look_up(
    key: _Key, loop: asyncio.AbstractEventLoop, asked: "asyncio.Future[list[ResolveResult]]"
) -> None:
    host, port, family = key
    try:
        found = socket.getaddrinfo(
            host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
        )
    except (OSError, UnicodeError) as error:
        tell = partial(asked.set_exception, error)
    else:
        tell = partial(asked.set_result, [_result(host, entry) for entry in found])
    with suppress(RuntimeError):  # the loop was closed meanwhile
        loop.call_soon_threadsafe(tell)


def _result(host: str, entry: Any) -> ResolveResult:
    family, _, protocol, _, address = entry
    return ResolveResult(
        hostname=host,
        host=address[0],
        port=address[1],
        family=family,
        proto=protocol,
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )
