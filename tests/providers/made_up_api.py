"""A JSON API of nobody's: a real HTTP server that answers what a test put there."""

from types import TracebackType
from typing import Self

from aiohttp import web

ACCESS = "allow_http = true\nallow_private = true\n"
"""What a source needs to read from this server."""


class MadeUpApi:
    """Answer GETs by path and query; keep what was asked."""

    def __init__(self) -> None:
        self.origin = ""
        self.requests: list[web.BaseRequest] = []
        self._answers: dict[str, tuple[int, bytes]] = {}
        self._other = (404, b'{"error": "no such batch"}')
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

    def put(self, target: str, body: bytes, *, status: int = 200) -> None:
        """Answer a path with its query by these bytes from now on."""
        self._answers[target] = (status, body)

    def answer_all(self, body: bytes) -> list[web.BaseRequest]:
        """Answer whatever is asked by these bytes from now on; return what is asked."""
        self._other = (200, body)
        return self.requests

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append(request)
        status, body = self._answers.get(request.path_qs, self._other)
        return web.Response(status=status, body=body, content_type="application/json")
