"""A fault: one way in which a provider's answer goes wrong."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

Answer = Callable[[web.BaseRequest, bytes], Awaitable[web.StreamResponse | None]]
"""Answer a request, given the body that a healthy provider would send; none: hang up."""

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault and the answer with it; the tests have a catalogue of them."""

    name: str
    answer: Answer
    status_code: int | None = 200
    """None: the connection ends without an answer."""


def not_found() -> Fault:
    """Know no such batch."""

    async def answer(_request: web.BaseRequest, _body: bytes) -> web.StreamResponse:
        return web.json_response({"error": 404, "message": "simulated 404"}, status=404)

    return Fault("not_found", answer, 404)
