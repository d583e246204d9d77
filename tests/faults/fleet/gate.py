"""A gate at a provider: what is asked for is held until it is opened."""

import asyncio
from collections import Counter

from aiohttp import web

from tests.simulator.faults import Fault


class Gate:
    """Hold requests; `passed` counts those that were still there when it was opened."""

    def __init__(self) -> None:
        self.waiting = 0
        self.passed = 0
        self._open = asyncio.Event()
        self._open.set()

    def close(self) -> None:
        """Hold whatever comes."""
        self._open.clear()

    def open(self) -> None:
        """Let everything through."""
        self._open.set()

    async def go_through(self) -> None:
        """Wait until it is open."""
        if self._open.is_set():
            return
        self.waiting += 1
        try:
            await self._open.wait()
            self.passed += 1
        finally:
            self.waiting -= 1

    def fault(self, status_code: int = 200) -> Fault:
        """Hold answers: what was asked for, which may come late, or a refusal."""

        async def answer(_request: web.BaseRequest, body: bytes) -> web.StreamResponse:
            await self.go_through()
            return web.Response(body=body, status=status_code, content_type="application/json")

        return Fault("held", answer, status_code)


class Pause:
    """Answer a moment late, and see how many requests for one batch are under way at once."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._under_way: Counter[str] = Counter()
        self.most_at_once = 0

    def fault(self) -> Fault:
        """Give the true answer, late."""

        async def answer(request: web.BaseRequest, body: bytes) -> web.StreamResponse:
            self._under_way[request.path] += 1
            self.most_at_once = max(self.most_at_once, self._under_way[request.path])
            await asyncio.sleep(self._seconds)
            self._under_way[request.path] -= 1
            return web.Response(body=body, content_type="application/json")

        return Fault("late", answer)
