"""The heartbeat: a GET once a minute that lets somebody else notice when we are gone."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

import structlog

from monitor.core.errors import NetworkError, SecretMissingError
from monitor.engine.loop import Bell
from monitor.net.http import HttpClient
from monitor.net.tls import tls_context
from monitor.secret import Secret

EVERY: Final = 60.0
"""Seconds between two beats."""
DEADLINE: Final = timedelta(seconds=10)
_KEEPALIVE: Final = timedelta(seconds=4)
_BODY_LIMIT: Final = 4096
_SUCCESS_WAITS: Final = timedelta(seconds=1)

log = structlog.stdlib.get_logger()


class Heartbeat:
    """Call the URL while all is well; its silence is what a dead man's switch listens for.

    The address may be private and plain HTTP: it is the operator's own, and nothing is said to it.
    """

    def __init__(self, url: Secret | None, *, problems: Callable[[], Awaitable[list[str]]]) -> None:
        self.url = url
        self._problems = problems
        self._told: str | None = None
        self.bell = Bell()

    def change(self, url: Secret | None) -> None:
        """Call this one from now on; a new one need not wait for its minute."""
        if url != self.url:
            self.url = url
            self.bell.ring()

    async def run(self) -> None:
        """Beat for ever."""
        client = HttpClient(
            tls=tls_context(None),
            allow_private=True,
            keepalive=_KEEPALIVE,
            body_limit=_BODY_LIMIT,
            success_waits=_SUCCESS_WAITS,
        )
        try:
            while True:
                if self.url is not None and not await self._problems():
                    self._log_change(await _beat(client, self.url))
                await self.bell.wait(EVERY)
        finally:
            await client.close()

    def _log_change(self, reason: str | None) -> None:
        """Log the beginning and the end of a failure, without the URL: who knows it can fake us."""
        if reason is not None and reason != self._told:
            log.warning("heartbeat.failing", reason=reason)
        elif reason is None and self._told is not None:
            log.info("heartbeat.recovered")
        self._told = reason


async def _beat(client: HttpClient, url: Secret) -> str | None:
    """Call once; return what went wrong."""
    try:
        answer = await client.get(url.read(), {}, deadline=DEADLINE)
    except (NetworkError, SecretMissingError) as error:
        return str(error)
    return None if 200 <= answer.status_code < 300 else str(answer.status_code)
