"""The catalogue of faults: every way in which a provider's answer may go wrong."""

import asyncio
import json
import socket
import struct
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime

from aiohttp import web

from monitor.simulator import faults
from monitor.simulator.faults import JSON

HTML_PAGE = b"<!doctype html><html><head><title>502</title></head><body>Bad Gateway</body></html>"
OTHER_ID = "0" * 32


class Fault(faults.Fault):
    """A fault; the static methods are the catalogue."""

    @staticmethod
    def unauthorized() -> "Fault":
        """Refuse the key."""
        return Fault.status(401, name="unauthorized")

    @staticmethod
    def forbidden() -> "Fault":
        """Refuse the key as Bolna also does."""
        return Fault.status(403, name="forbidden")

    @staticmethod
    def not_found() -> "Fault":
        """Know no such batch."""
        return Fault.status(404, name="not_found")

    @staticmethod
    def gone() -> "Fault":
        """Have deleted the batch."""
        return Fault.status(410, name="gone")

    @staticmethod
    def unprocessable() -> "Fault":
        """Refuse the id as FastAPI does."""
        body = json.dumps({"detail": [{"loc": ["path", "id"], "msg": "invalid id"}]}).encode()
        return Fault.body(body, name="unprocessable", status_code=422)

    @staticmethod
    def rate_limited(retry_after: int | str | datetime | None = None) -> "Fault":
        """Ask for patience: in seconds, until a date, in garbage, or without a word."""
        return Fault.status(429, name="rate_limited", headers=_asking(retry_after))

    @staticmethod
    def server_error(
        status_code: int = 500, *, retry_after: int | str | datetime | None = None
    ) -> "Fault":
        """Break down: 500, 502, 503; perhaps ask for patience, too."""
        return Fault.status(status_code, name="server_error", headers=_asking(retry_after))

    @staticmethod
    def redirect(location: str, status_code: int = 307) -> "Fault":
        """Send the client elsewhere."""
        return Fault.status(status_code, name="redirect", headers={"Location": location})

    @staticmethod
    def html() -> "Fault":
        """Let a proxy answer 200 with a page."""
        return Fault.body(HTML_PAGE, name="html", content_type="text/html")

    @staticmethod
    def empty() -> "Fault":
        """Answer 200 with nothing."""
        return Fault.body(b"", name="empty")

    @staticmethod
    def array() -> "Fault":
        """Put the document into an array."""
        return _spoiled("array", lambda body: b"[" + body + b"]")

    @staticmethod
    def truncated() -> "Fault":
        """Break the document off half-way, with a length that says nothing of it."""
        return _spoiled("truncated", lambda body: body[: len(body) // 2])

    @staticmethod
    def other_batch() -> "Fault":
        """Answer with another batch's id."""
        return _spoiled("other_batch", _with_other_id)

    @staticmethod
    def status(
        code: int, *, name: str | None = None, headers: Mapping[str, str] | None = None
    ) -> "Fault":
        """Answer with any status code and an error document."""
        body = json.dumps({"error": code, "message": f"simulated {code}"}).encode()
        return Fault.body(body, name=name or f"status_{code}", status_code=code, headers=headers)

    @staticmethod
    def body(
        body: bytes,
        *,
        name: str = "body",
        status_code: int = 200,
        content_type: str = JSON,
        headers: Mapping[str, str] | None = None,
    ) -> "Fault":
        """Answer with any bytes."""

        async def answer(_request: web.BaseRequest, _body: bytes) -> web.StreamResponse:
            return web.Response(
                body=body, status=status_code, content_type=content_type, headers=headers
            )

        return Fault(name, answer, status_code)

    @staticmethod
    def black_hole(seconds: float = 60.0) -> "Fault":
        """Say nothing, then hang up."""

        async def answer(_request: web.BaseRequest, _body: bytes) -> None:
            await asyncio.sleep(seconds)

        return Fault("black_hole", answer, None)

    @staticmethod
    def reset() -> "Fault":
        """Reset the connection (RST) after the request was read."""

        async def answer(request: web.BaseRequest, _body: bytes) -> None:
            if request.transport is not None:
                raw: socket.socket = request.transport.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        return Fault("reset", answer, None)

    @staticmethod
    def slow_drip(pause: float = 0.1) -> "Fault":
        """Send the true document one byte at a time."""

        async def answer(request: web.BaseRequest, body: bytes) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Type": JSON})
            response.content_length = len(body)
            await response.prepare(request)
            for byte in body:
                await response.write(bytes([byte]))
                await asyncio.sleep(pause)
            return response

        return Fault("slow_drip", answer)


def _asking(retry_after: int | str | datetime | None) -> dict[str, str]:
    return {} if retry_after is None else {"Retry-After": _retry_after(retry_after)}


def _retry_after(value: int | str | datetime) -> str:
    if isinstance(value, datetime):
        return format_datetime(value.astimezone(UTC), usegmt=True)
    return str(value)


def _spoiled(name: str, spoil: Callable[[bytes], bytes]) -> Fault:
    async def answer(_request: web.BaseRequest, body: bytes) -> web.StreamResponse:
        return web.Response(body=spoil(body), content_type=JSON)

    return Fault(name, answer)


def _with_other_id(body: bytes) -> bytes:
    document = json.loads(body)
    named = {key: OTHER_ID for key in ("batch_id", "id") if key in document}
    return json.dumps(document | named).encode()
