"""Interim answers (1xx) before the one that counts: a few are fine, a flood ends the connection."""

import asyncio
from typing import Final

from aiohttp.client_proto import ResponseHandler
from aiohttp.http import RawResponseMessage
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.streams import StreamReader

LIMIT: Final = 32
"""Of one request; a server that works for long sends one every 20 s or so."""


class BoundedHandler(ResponseHandler):
    """Abort a connection that sends more interim answers than anybody needs.

    aiohttp takes any number, as fast as they come: at the speed of a local network they kept uvloop
    from all else for seconds beyond the deadline, and filled 130 MiB (measured).
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._interim = 0

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        """Pass an answer on; the flood's rest is dropped."""
        self._interim = self._interim + 1 if data[0].code < 200 else 0
        if self._interim <= LIMIT:
            super().feed_data(data, size)
        elif self._interim == LIMIT + 1 and self.transport is not None:
            self.set_exception(HttpProcessingError(message="too many interim answers"))
            self.transport.abort()
