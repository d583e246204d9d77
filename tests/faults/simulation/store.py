"""The store under faults: the real database, whose units of work fail, or say that they did."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from random import Random
from typing import Any, TypeVar

from monitor.core.errors import StorageError
from monitor.storage.database import Database
from tests.faults.simulation.trace import Trace
from tests.faults.simulation.weather import Weather

T = TypeVar("T")
LATENCY = (0.0002, 0.02)
"""Seconds before and after each unit of work: others work meanwhile, or the process dies."""


class FaultyDatabase(Database):
    """Do what the real one does, unless the weather has it fail before, within or after."""

    def __init__(
        self,
        url: str,
        *,
        weather: Weather,
        trace: Trace,
        dice: Random,
        now: Callable[[], datetime],
    ) -> None:
        super().__init__(url)
        self._weather = weather
        self._trace = trace
        self._dice = dice
        self._now = now
        self.cut = False
        """The process is dead: nothing of it may reach the store any more."""

    async def now(self) -> datetime:
        """Return the world's time."""
        return self._now()

    async def _run(
        self, work: Callable[..., T], *given: Any, writes: bool, patient: bool = False
    ) -> T:
        """Run a unit of work that may fail, and whose outcome may be unknown."""
        fault = await self._begin()
        if fault == "before" or (fault and not writes):
            raise StorageError("the store fails before")

        def unit(*arguments: Any, **named: Any) -> T:
            found = work(*arguments, **named)
            if fault == "undone":
                raise StorageError("the store fails within")
            return found

        found = await super()._run(unit, *given, writes=writes, patient=patient)
        if writes:
            self._trace("committed")
        await self._pass()
        if fault == "unknown":
            raise StorageError("the store may have failed")
        return found

    async def _begin(self) -> str | None:
        await self._pass()
        if self.cut:
            raise StorageError("the process is dead")
        return self._weather.strikes("store", asyncio.get_running_loop().time())

    async def _pass(self) -> None:
        await asyncio.sleep(self._dice.uniform(*LATENCY))
