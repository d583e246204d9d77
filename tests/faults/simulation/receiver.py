"""A simulated receiver: verifies every webhook, keeps what it accepts, and fails as it is told."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from random import Random

from standardwebhooks import Webhook, WebhookVerificationError

from monitor.core.errors import NetworkError, NetworkKind
from monitor.net.answer import Answer
from tests.consumer import SECRET, Accepted
from tests.faults.simulation.trace import Trace
from tests.faults.simulation.weather import Asked, Weather, answer

GONE = 0.04
"""How many events a picky one wants never again."""
BAD = 0.03
"""How many it refuses each time."""


class SimulatedReceiver:
    """Accept webhooks; `picky`, it also refuses some for themselves."""

    def __init__(self, name: str, weather: Weather, trace: Trace, *, picky: bool) -> None:
        self.name = name
        self.accepted: list[Accepted] = []
        self.refused: Counter[str] = Counter()
        """How often each event was refused for itself."""
        self.gone: set[str] = set()
        """Events that it answered by 410."""
        self.bad_signatures = 0
        self.asked: list[Asked] = []
        self._picky = picky
        self._weather = weather
        self._trace = trace
        self._dice = Random(f"receiver {name} of {weather.seed}")
        self._verifier = Webhook(SECRET)

    async def answer(self, _path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer a POST."""
        now, event_id = asyncio.get_running_loop().time(), headers["webhook-id"]
        self.asked.append(Asked(now))
        fault = self._weather.strikes(self.name, now)
        self._trace(f"sent {self.name} {event_id} {fault or ''}")
        try:
            self._verifier.verify(body, dict(headers), json_parse=False)
        except WebhookVerificationError:
            self.bad_signatures += 1
            return answer(401)
        failure = await self._weather.befall(fault, self.asked)
        if failure is None:
            failure = self._refuse(event_id)
        if failure is not None:
            return failure
        self.accepted.append(Accepted(self.name, event_id, body))
        self._trace(f"accepted {self.name} {event_id}")
        if fault == "lost":
            raise NetworkError(NetworkKind.DISCONNECTED)
        if fault == "late":
            await asyncio.sleep(self._dice.uniform(1, 20))  # some within the deadline
        return answer(200)

    def _refuse(self, event_id: str) -> Answer | None:
        """Refuse some events for themselves, if that is its way: for good, or each time."""
        chance = Random(event_id).random() if self._picky and not self._weather.calm else 1.0
        if chance < GONE:
            self.gone.add(event_id)
            return answer(410)
        if chance < GONE + BAD:
            self.refused[event_id] += 1
            return answer(400)
        return None
