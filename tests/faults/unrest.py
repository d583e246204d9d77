"""Unrest: batches of a simulated account that change as they are read, or as time goes by."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from monitor.simulator.bolna import SimulatedBolna, bolna_document
from monitor.simulator.lives import Document
from monitor.simulator.record import ServedAnswer
from tests.consumer import Consumer

STEP = 0.5
"""Seconds between two changes of every batch, by time."""
AGENT = "agent"
"""Whose list shows the batches that are to be discovered."""


class Unrest:
    """Move a batch on with every reading: status and counts, so that a poll brings two events.

    With a consumer, not before it knows of the last move: else a busy machine never catches up.
    """

    def __init__(
        self, bolna: SimulatedBolna, ids: Iterable[str], *, consumer: Consumer | None = None
    ) -> None:
        self._bolna = bolna
        self._consumer = consumer
        self._turns: dict[str, int] = {}
        self._told: dict[str, int] = {}
        self._heard = 0
        self._over = False
        bolna.agents[AGENT] = []
        for batch_id in ids:
            self.add(batch_id)
        bolna.record.listen(self._go_on)

    @property
    def ids(self) -> list[str]:
        """Return all its batches."""
        return list(self._turns)

    def add(self, batch_id: str, *, listed: bool = False) -> None:
        """Let one more batch be there, in a list too if that is how it is to be found."""
        self._turns[batch_id] = 0
        self._bolna.put(batch_id, self._document(batch_id))
        if listed:
            self._bolna.agents[AGENT].append(batch_id)

    def end(self) -> None:
        """Complete all batches."""
        self._over = True
        for batch_id in self._turns:
            self._bolna.put(batch_id, self._document(batch_id))

    def _go_on(self, served: ServedAnswer) -> None:
        batch_id = served.batch
        if served.body is None or batch_id not in self._turns or self._over:
            return
        if self._consumer is None or self._knows(self._consumer, batch_id):
            self._turns[batch_id] += 1
            self._bolna.put(batch_id, self._document(batch_id))

    def _knows(self, consumer: Consumer, batch_id: str) -> bool:
        for one in consumer.accepted[self._heard :]:
            event = json.loads(one.body)
            subject = event["subject"]
            if subject in self._turns:
                turn = event["data"]["counts"]["completed"]
                self._told[subject] = max(turn, self._told.get(subject, 0))
        self._heard = len(consumer.accepted)
        return self._told.get(batch_id) == self._turns[batch_id]

    def _document(self, batch_id: str) -> Document:
        turn = self._turns[batch_id]
        status, counts = ("queued", "running")[turn % 2], {"completed": turn, "queued": 1}
        if self._over:
            status, counts = "completed", {"completed": turn + 1}
        # no time of its creation: a list's batches are found whatever their age
        return bolna_document(
            batch_id, status=status, execution_status=counts, without=("created_at",)
        )


@asynccontextmanager
async def changing(bolna: SimulatedBolna, ids: Iterable[str]) -> AsyncIterator[None]:
    """Let one more call of every batch be completed with each step."""

    async def change() -> None:
        done = 0
        while True:
            calls = {"completed": done, "queued": 1_000_000 - done}
            for id_ in ids:
                bolna.put(id_, bolna_document(id_, status="running", execution_status=calls))
            done += 1
            await asyncio.sleep(STEP)

    task = asyncio.create_task(change())
    await asyncio.sleep(0)
    yield
    task.cancel()
