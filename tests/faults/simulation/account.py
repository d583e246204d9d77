"""A simulated account at a provider: its batches live through the day, its answers fail."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from random import Random

from monitor.net.answer import Answer
from monitor.simulator.lives import Life
from tests.accounting import State, shown
from tests.faults.simulation.trace import Trace
from tests.faults.simulation.weather import Asked, Weather, answer


class SimulatedAccount:
    """Show each batch's document of the moment, to whoever has the key."""

    def __init__(self, name: str, weather: Weather, trace: Trace) -> None:
        self.name = name
        self.lives: dict[str, Life] = {}
        self.served: dict[str, list[State]] = defaultdict(list)
        """Each batch's states in the order in which they were served."""
        self.asked_at: dict[str, float] = {}
        """When each batch was last asked for."""
        self.asked: list[Asked] = []
        self.on_asked: Callable[[], None] = _nothing
        self._weather = weather
        self._trace = trace
        self._dice = Random(f"account {name} of {weather.seed}")
        self._states: dict[bytes, State] = {}

    async def answer(self, path: str, headers: Mapping[str, str], _body: bytes) -> Answer:
        """Answer a GET of a batch."""
        batch = path.removeprefix("/batches/")
        now = asyncio.get_running_loop().time()
        self.asked_at[batch] = now
        self.asked.append(Asked(now))
        self.on_asked()
        fault = self._weather.strikes(self.name, now)
        self._trace(f"asked {self.name} {batch} {fault or ''}")
        if headers.get("Authorization") != f"Bearer key of {self.name}":
            return answer(401)
        failure = await self._weather.befall(fault, self.asked)
        if failure is not None:
            return failure
        body = self._show(batch)
        if fault == "slow":
            await asyncio.sleep(self._dice.uniform(1, 20))  # some within the deadline
        return answer(200, body=body)

    def _show(self, batch: str) -> bytes:
        step = self.lives[batch].current
        if step.body not in self._states:
            self._states[step.body] = shown(step.document)
        self.served[batch].append(self._states[step.body])
        return step.body


def _nothing() -> None:
    """Stand in until somebody wants to know."""
