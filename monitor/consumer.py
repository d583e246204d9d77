"""The consumer: a server on loopback that verifies webhooks, and knows those that it has seen."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

Subject = tuple[str, str]
"""CloudEvents `source` and `subject`."""

REMEMBERED: Final = 100_000
"""Ids at most, the newest."""
_PATH: Final = "/hooks/batches"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One event whose signature was good."""

    id: str
    body: bytes
    document: Mapping[str, Any]
    at: datetime
    duplicate: bool
    """It has come before."""

    @property
    def subject(self) -> Subject:
        """Return what it is about."""
        return self.document["source"], self.document["subject"]

    @property
    def sequence(self) -> int:
        """Return its number among those of its subject."""
        number: int = self.document["data"]["sequence"]
        return number

    @property
    def latency(self) -> timedelta:
        """Return how long it took from the reading that yielded it."""
        return max(self.at - datetime.fromisoformat(self.document["time"]), timedelta())


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One request that got 401, and why."""

    reason: str


class Consumer:
    """Take webhooks on any path; tell of each before it is answered."""

    def __init__(
        self, secret: str, tell: Callable[[Arrival | Refusal], None], *, port: int = 0
    ) -> None:
        """Accept any one of several secrets, separated by spaces; port 0 is any free one."""
        self.url = ""
        self._verifiers = [Webhook(one) for one in secret.split()]
        self._tell = tell
        self._port = port
        self._seen: dict[str, None] = {}
        app = web.Application()
        app.add_routes([web.post("/{path:.*}", self._answer)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)

    async def __aenter__(self) -> Self:
        """Listen on 127.0.0.1; raise OSError when the port is taken."""
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}{_PATH}"
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Stop."""
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        try:
            arrived = self._take(await request.read(), request.headers)
        except (WebhookVerificationError, ValueError) as error:  # what is no signature, or no event
            self._tell(Refusal(reason=str(error)))
            return web.Response(status=401)
        self._tell(arrived)
        return web.Response(status=204)

    def _take(self, body: bytes, headers: Mapping[str, str]) -> Arrival:
        self._verify(body, headers)
        document = _read(body)
        event_id = headers["webhook-id"]
        duplicate = event_id in self._seen
        self._seen[event_id] = None
        if len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        at = datetime.now(UTC)
        return Arrival(id=event_id, body=body, document=document, at=at, duplicate=duplicate)

    def _verify(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Raise the last secret's complaint unless a signature is by one of them."""
        *others, last = self._verifiers
        for verifier in others:
            with suppress(WebhookVerificationError, ValueError):
                verifier.verify(body, dict(headers), json_parse=False)
                return
        last.verify(body, dict(headers), json_parse=False)


def _read(body: bytes) -> Mapping[str, Any]:
    """Read what a sender signed; raise ValueError unless it is an event."""
    document: dict[str, Any] = json.loads(body)
    match document:
        case {
            "type": str(),
            "source": str(),
            "subject": str(),
            "time": str(),
            "data": {"sequence": int()},
        }:
            return document
        case _:
            raise ValueError("the body is no event")
