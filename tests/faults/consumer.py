"""A consumer of signed webhooks that keeps account of what it accepts."""

import base64
import json
import time
from typing import Any

from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from tests.faults.accounting import Accepted

SECRET = "whsec_" + base64.b64encode(b"thirty-two bytes of a test key!!").decode()


class Consumer:
    """Accept signed webhooks, and keep every one in the order in which it was accepted.

    Its paths stand for receivers: name them as in the config.
    """

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}
        self.received: list[tuple[float, str, str]] = []
        """When (monotonic), at which path, which event id."""
        self.accepted: list[Accepted] = []
        self.bad_signatures = 0
        self.duplicates = 0
        self.answer_with = 200
        self.pauses = 0
        """How many requests are still to be answered by 429, with a pause of a second."""
        self.url = ""
        self._seen: set[tuple[str, str]] = set()
        self._verifier = Webhook(SECRET)
        app = web.Application()
        app.add_routes([web.post("/{path:.*}", self._accept)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)

    async def start(self) -> None:
        """Listen on a free port."""
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    async def _accept(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            self._verifier.verify(body.decode(), dict(request.headers))
        except WebhookVerificationError:
            self.bad_signatures += 1
            return web.Response(status=401)
        event_id = request.headers["webhook-id"]
        if self.pauses:
            self.pauses -= 1
            return web.Response(status=429, headers={"retry-after": "1"})
        if self.answer_with != 200:
            return web.Response(status=self.answer_with)
        self.remember(Accepted(request.match_info["path"], event_id, body))
        return web.Response()

    def remember(self, webhook: Accepted) -> None:
        """Keep what was accepted: now, or in a life before."""
        key = (webhook.receiver, webhook.event_id)
        self.bodies.setdefault(webhook.event_id, webhook.body)
        self.duplicates += key in self._seen
        self._seen.add(key)
        self.received.append((time.monotonic(), *key))
        self.accepted.append(webhook)

    def events(self, path: str = "") -> dict[tuple[str, str], list[dict[str, Any]]]:
        """Return what one path accepted, by subject, each event once, as first accepted."""
        found: dict[tuple[str, str], list[dict[str, Any]]] = {}
        seen: set[str] = set()
        for _, at, event_id in self.received:
            if event_id in seen or (path and at != path):
                continue
            seen.add(event_id)
            event = json.loads(self.bodies[event_id])
            found.setdefault((event["source"], event["subject"]), []).append(event)
        return found
