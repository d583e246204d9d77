"""Callers: a provider and both sinks as the daemon builds them, asked one way."""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Final

from monitor.core.delivery import Delivery
from monitor.core.errors import PollError
from monitor.core.event import EventType, compose
from monitor.core.payload import receiver_data, receiver_subject
from monitor.providers import BolnaSettings
from monitor.providers import build as build_provider
from monitor.sinks import ReceiverSettings, SlackSettings, WebhookSettings
from monitor.sinks import build as build_sink
from tests.faults.figures import TIMED
from tests.first_delivery import first_delivery

KINDS: Final = ("provider", "webhook", "slack")
SHORT: Final = timedelta(seconds=1)
"""The deadline of requests that only it ends: the shortest that a webhook may have."""
LONG: Final = SHORT if TIMED else timedelta(seconds=60)
"""That of all others, which a machine that does other things may make long."""

_SECRET: Final = "whsec_" + base64.b64encode(b"thirty-two bytes of a test key!!").decode()
_POLLS: Final = 4
_AT: Final = datetime(2026, 1, 29, 8, 31, 2, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Hold one client: `ask` makes one request and returns, in words, what came of it."""

    kind: str
    slots: int
    """Requests at a time, and connections."""
    deadline: timedelta
    ask: Callable[[], Awaitable[str]]


@asynccontextmanager
async def caller(
    kind: str,
    base_url: str,
    *,
    deadline: timedelta = LONG,
    allow_private: bool = True,
    ca_file: Path | None = None,
) -> AsyncIterator[Caller]:
    """Build a caller of one kind."""
    table: dict[str, Any] = {"allow_http": True, "allow_private": allow_private}
    if ca_file is not None:
        table["ca_file"] = str(ca_file)
    if kind == "provider":
        settings = {"provider": "bolna", "api_key": "key", "base_url": base_url} | table
        provider = build_provider(
            BolnaSettings.model_validate(settings), deadline=deadline, connections=_POLLS
        )

        async def read() -> str:
            try:
                await provider.read("b1")
            except PollError as error:
                return error.kind.value
            return "ok"

        yield Caller(kind=kind, slots=_POLLS, deadline=deadline, ask=read)
        await provider.close()
        return
    receiver: ReceiverSettings
    if kind == "webhook":
        seconds = f"{deadline.total_seconds():.0f}s"
        own = {"url": f"{base_url}/hooks", "secret": _SECRET, "timeout": seconds}
        receiver = WebhookSettings.model_validate({"kind": kind} | own | table)
    else:
        own = {"webhook_url": f"{base_url}/services/T0/B0/path"}
        receiver = _slack(deadline).model_validate({"kind": kind} | own | table)
    sink = build_sink("r", receiver)

    async def send() -> str:
        verdict = await sink.send(_delivery(), sent_at=datetime.now(UTC))
        return f"{verdict.kind.value} {verdict.error or verdict.status_code}"

    yield Caller(kind=kind, slots=receiver.slots, deadline=deadline, ask=send)
    await sink.close()


def _slack(deadline: timedelta) -> type[SlackSettings]:
    """Return Slack's settings with another deadline; no config can set it."""

    class Settings(SlackSettings):
        timeout: ClassVar[timedelta] = deadline

    return Settings


def _delivery() -> Delivery:
    subject = receiver_subject(1, "r", "the receiver's key")
    data = receiver_data("r", "webhook")
    event = compose(EventType.TEST, subject, sequence=1, at=_AT, data=data)
    return first_delivery(event, at=_AT)
