"""A JSON API of nobody's: a real HTTP server that answers what a test put there."""

import gzip
from types import TracebackType
from typing import NamedTuple, Self

from aiohttp import web

ACCESS = "allow_http = true\nallow_private = true\n"
"""What a source needs to read from this server."""


class _Answer(NamedTuple):
    body: bytes
    status: int = 200
    chunked: bool = False
    packed: bool = False


class MadeUpApi:
    """Answer GETs by path and query; keep what was asked."""

    def __init__(self) -> None:
        self.origin = ""
        self.requests: list[web.BaseRequest] = []
        self._answers: dict[str, _Answer] = {}
        self._other = _Answer(b'{"error": "no such batch"}', 404)
        self._runner = web.ServerRunner(web.Server(self._answer), shutdown_timeout=0.01)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.origin = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()

    def put(
        self,
        target: str,
        body: bytes,
        *,
        status: int = 200,
        chunked: bool = False,
        packed: bool = False,
    ) -> None:
        """Answer a path with its query by these bytes from now on; `chunked` tells no length."""
        self._answers[target] = _Answer(body, status, chunked, packed)

    def answer_all(self, body: bytes) -> list[web.BaseRequest]:
        """Answer whatever is asked by these bytes from now on; return what is asked."""
        self._other = _Answer(body)
        return self.requests

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append(request)
        answer = self._answers.get(request.path_qs, self._other)
        response = web.Response(
            status=answer.status,
            body=gzip.compress(answer.body) if answer.packed else answer.body,
            content_type="application/json",
            headers={"Content-Encoding": "gzip"} if answer.packed else None,
        )
        if answer.chunked:
            response.enable_chunked_encoding()
        return response
