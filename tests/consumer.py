"""A consumer: a real server that verifies what arrives, answers as told, and keeps account."""

import asyncio
import base64
import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from tests.schema import complaints

SECRET = "whsec_" + base64.b64encode(b"thirty-two bytes of a test key!!").decode()
Data = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Arrival:
    """Hold one request."""

    at: float
    """When it came (monotonic, seconds)."""
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def event(self) -> Data:
        """Return the event document, as a webhook carries it."""
        event: Data = json.loads(self.body)
        return event


@dataclass(frozen=True, slots=True)
class Accepted:
    """Hold one webhook that was answered with success."""

    receiver: str
    """The path at which it came, without its slash: named as in the config."""
    event_id: str
    body: bytes
    at: float = 0.0
    """When it was accepted (monotonic, seconds)."""


Answer = int | web.Response | Callable[[web.BaseRequest], web.Response]


class Consumer:
    """Verify each webhook, answer by script, and else with `status` and `text`.

    Without a secret it takes anything, and accepts nothing. Paths stand for receivers.
    """

    def __init__(self, secret: str | None = SECRET, *, path: str = "") -> None:
        self.url = ""
        self.arrived: list[Arrival] = []
        self.accepted: list[Accepted] = []
        """In the order in which they were accepted."""
        self.events: list[Data] = []
        """What was accepted, read."""
        self.bad_signatures = 0
        self.unfit: list[str] = []
        """What in verified bodies was not as the published schema says."""
        self.status = 200
        self.text = ""
        self.headers: dict[str, str] = {}
        self.script: deque[Answer] = deque()
        self.refuse: Callable[[Data], int | None] = lambda _event: None
        self.pause = 0.0
        """Seconds before each answer."""
        self.in_flight = 0
        self.most_in_flight = 0
        self._released = asyncio.Event()
        self._released.set()
        self._path = path
        self._verifier = None if secret is None else Webhook(secret)
        self._runner = web.ServerRunner(web.Server(self._answer), shutdown_timeout=0.1)

    @property
    def types(self) -> list[str]:
        """List the types of the accepted events."""
        return [event["type"] for event in self.events]

    def of(self, subject: str) -> list[Data]:
        """List the accepted events of one subject."""
        return [event for event in self.events if event["subject"] == subject]

    async def start(self) -> None:
        """Listen on a free port."""
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}{self._path}"

    async def stop(self) -> None:
        """Stop listening; fail if a verified body was not as the published schema says."""
        await self._runner.cleanup()
        assert self.unfit == []

    def hang(self) -> None:
        """Answer nothing until released."""
        self._released.clear()

    def release(self) -> None:
        """Answer again, also what came meanwhile."""
        self._released.set()

    def remember(self, webhook: Accepted) -> None:
        """Keep what was accepted: now, or in a life before."""
        self.accepted.append(webhook)
        self.events.append(json.loads(webhook.body))

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        body = await request.read()
        one = Arrival(time.monotonic(), request.method, request.path, request.headers, body)
        self.arrived.append(one)
        if not self._is_signed(one):
            self.bad_signatures += 1
            return web.Response(status=401)
        if self._verifier is not None:
            self.unfit += complaints(one.event)
        await self._take_time()
        answer = self._decide(request, one)
        if self._verifier is not None and 200 <= answer.status < 300:
            event_id = request.headers["webhook-id"]
            at = time.monotonic()
            self.remember(Accepted(request.path.removeprefix("/"), event_id, body, at))
        return answer

    def _is_signed(self, one: Arrival) -> bool:
        if self._verifier is None:
            return True
        try:
            self._verifier.verify(one.body, dict(one.headers), json_parse=False)
        except WebhookVerificationError:
            return False
        return True

    async def _take_time(self) -> None:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await self._released.wait()
            await asyncio.sleep(self.pause)
        finally:
            self.in_flight -= 1

    def _decide(self, request: web.BaseRequest, one: Arrival) -> web.Response:
        refused = self.refuse(one.event) if self._verifier is not None else None
        answer: Answer = refused or (self.script.popleft() if self.script else self.status)
        if isinstance(answer, int):
            return web.Response(status=answer, headers=self.headers, text=self.text)
        return answer if isinstance(answer, web.Response) else answer(request)


def distinct(events: Iterable[Data]) -> list[Data]:
    """List each event once, in the order in which they were first accepted."""
    first: dict[str, Data] = {}
    for event in events:
        first.setdefault(event["id"], event)
    return list(first.values())


def sequences(events: Iterable[Mapping[str, Any]]) -> list[int]:
    """List the sequence numbers of events."""
    return [event["data"]["sequence"] for event in events]
