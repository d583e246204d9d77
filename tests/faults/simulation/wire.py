"""The wire: carries the engine's requests to the simulated accounts and receivers."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from random import Random
from typing import Protocol
from urllib.parse import urlsplit

from monitor.core.errors import NetworkError, NetworkKind
from monitor.net.answer import Answer
from tests.faults.simulation.loop import spawn_outside
from tests.faults.simulation.trace import Trace

LATENCY = (0.002, 0.4)
"""Seconds each way."""


class Host(Protocol):
    """Answer requests."""

    async def answer(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Return an answer, or raise NetworkError."""
        ...


class Wire:
    """Stand where `HttpClient` stands: a request that left arrives whatever becomes of its sender.

    One wire is one client; all of them lead to the same hosts.
    """

    def __init__(self, hosts: Mapping[str, Host], dice: Random, trace: Trace) -> None:
        self._hosts = hosts
        self._trace = trace
        self._dice = dice
        self._closed = False

    async def get(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        deadline: timedelta,
        take: object = None,
        place: object = None,
    ) -> Answer:
        """Return the answer to a GET; raise NetworkError if none came by the deadline."""
        return await self._request(url, headers, b"", deadline)

    async def post(
        self, url: str, headers: Mapping[str, str], content: bytes, *, deadline: timedelta
    ) -> Answer:
        """Return the answer to a POST; raise NetworkError if none came by the deadline."""
        return await self._request(url, headers, content, deadline)

    async def close(self) -> None:
        """Take no more requests."""
        self._closed = True

    async def _request(
        self, url: str, headers: Mapping[str, str], body: bytes, deadline: timedelta
    ) -> Answer:
        if self._closed:
            raise NetworkError(NetworkKind.CONNECT)
        self._trace(f"requests {url}")
        journey = spawn_outside(self._travel(url, headers, body))
        done, _ = await asyncio.wait({journey}, timeout=deadline.total_seconds())
        if not done:
            raise NetworkError(NetworkKind.TIMEOUT)
        answer = journey.result()
        if isinstance(answer, NetworkError):
            raise answer
        return answer

    async def _travel(
        self, url: str, headers: Mapping[str, str], body: bytes
    ) -> Answer | NetworkError:
        """Return what comes back; nothing is raised, for nobody may be there to hear it."""
        parts = urlsplit(url)
        await asyncio.sleep(self._dice.uniform(*LATENCY))
        try:
            answer = await self._hosts[parts.hostname or ""].answer(parts.path, headers, body)
        except NetworkError as error:
            return error
        await asyncio.sleep(self._dice.uniform(*LATENCY))
        return answer
