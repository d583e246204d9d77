"""The consumer: what verifies every webhook, de-duplicates by its id and minds the sequence."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

Subject = tuple[str, str]
"""CloudEvents `source` and `subject`."""

_PATH: Final = "/hooks/batches"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One event whose signature was good, as it came the first time."""

    id: str
    document: Mapping[str, Any]
    latency: timedelta
    """From the reading that yielded it."""

    @property
    def subject(self) -> Subject:
        """Return what it is about."""
        return self.document["source"], self.document["subject"]


class Consumer:
    """One path of signed webhooks; anything unsigned gets 401."""

    def __init__(self, secret: str) -> None:
        self.accepted: list[Arrival] = []
        """In the order in which they came."""
        self.duplicates = 0
        self.bad_signatures = 0
        self.gaps = 0
        """Events whose sequence is not one more than their subject's last."""
        self.url = ""
        self._verifier = Webhook(secret)
        self._seen: set[str] = set()
        self._sequences: dict[Subject, int] = {}
        app = web.Application()
        app.add_routes([web.post(_PATH, self._answer)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)

    async def __aenter__(self) -> Self:
        """Listen on any free port of 127.0.0.1."""
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}{_PATH}"
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Stop."""
        await self._runner.cleanup()

    def events_of(self, subject: Subject) -> list[Arrival]:
        """Return what was accepted about one subject."""
        return [event for event in self.accepted if event.subject == subject]

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            self._verifier.verify(body, dict(request.headers), json_parse=False)
        except (WebhookVerificationError, ValueError):  # ValueError: a header that is no signature
            self.bad_signatures += 1
            return web.Response(status=401)
        self._take(request.headers["webhook-id"], json.loads(body))
        return web.Response(status=204)

    def _take(self, event_id: str, document: Mapping[str, Any]) -> None:
        if event_id in self._seen:
            self.duplicates += 1
            return
        self._seen.add(event_id)
        read_at = datetime.fromisoformat(document["time"])
        latency = max(datetime.now(UTC) - read_at, timedelta())
        event = Arrival(id=event_id, document=document, latency=latency)
        sequence = document["data"]["sequence"]
        self.gaps += sequence != self._sequences.get(event.subject, 0) + 1
        self._sequences[event.subject] = sequence
        self.accepted.append(event)
