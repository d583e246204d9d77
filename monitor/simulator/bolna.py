"""A simulated Bolna: its path, its documents, and the lives of its batches."""

import time
from collections.abc import Collection, Iterator
from enum import StrEnum
from random import Random
from typing import Any, ClassVar, Final

from aiohttp import web

from monitor.simulator.catalogue import agent_page, agents_page
from monitor.simulator.lives import Clock, Document, Life, spread
from monitor.simulator.server import SimulatedApi
from monitor.simulator.story import Calls, Scene, cut_off, dial, retried, seeded

CREATED_AT: Final = "2024-01-23T05:14:37Z"
"""When a batch of the documentation was created."""


class SimulatedBolna(SimulatedApi):
    """Serve `GET /batches/{batch_id}`, `/batches/{agent_id}/all` and `/v2/agent/all`.

    A fault of a list is that of the batch `AGENT/all`, or of `v2/agent/all`.
    """

    prefix: ClassVar[str] = ""
    collection: ClassVar[str] = "batches"

    def __init__(self, *, key: str, port: int = 0, clock: Clock = time.monotonic) -> None:
        super().__init__(key=key, port=port, clock=clock)
        self.agents: dict[str, list[str]] = {}
        """The batches of each agent; a batch shows in no other list."""

    async def _answer(self, request: web.BaseRequest, batch: str) -> web.StreamResponse:
        if request.path == "/v2/agent/all":
            return await self._show(request, "v2/agent/all", agents_page(self.agents))
        agent = batch.removesuffix("/all")
        if agent != batch and agent in self.agents:
            return await self._show(request, batch, agent_page(self.agents[agent], self._lives))
        return await super()._answer(request, batch)


class Generation(StrEnum):
    """Which batch statuses an account shows; both are in use."""

    OLDER = "older"  # scheduled, created, queued, executed
    NEWER = "newer"  # created, processed, scheduled, running, completed


class Ending(StrEnum):
    """How a batch ends."""

    COMPLETED = "completed"
    STOPPED = "stopped"
    FAILED = "failed"


def bolna_document(batch_id: str, *, without: Collection[str] = (), **fields: Any) -> Document:
    """Return a document like the documented one, with other fields, or without some."""
    document: dict[str, Any] = {
        "batch_id": batch_id,
        "humanized_created_at": "5 minutes ago",
        "created_at": CREATED_AT,
        "updated_at": "2024-02-29T04:22:89Z",
        "status": "created",
        "scheduled_at": None,
        "from_phone_number": "+19876543007",
        "file_name": "customers.csv",
        "valid_contacts": 7,
        "total_contacts": 11,
        "execution_status": {},
    }
    return {name: value for name, value in (document | fields).items() if name not in without}


def bolna_life(
    batch_id: str,
    *,
    contacts: int = 7,
    generation: Generation = Generation.NEWER,
    ending: Ending = Ending.COMPLETED,
    lag: bool = True,
    retry: bool = False,
    file_name: str = "customers.csv",
    created_at: str = CREATED_AT,
    seed: object = 0,
    seconds: float = 30.0,
    clock: Clock | None = None,
) -> Life:
    """Live one batch from `created` to its end.

    `lag`: all calls are final while the newer generation still says `running`. `retry`: after the
    end the calls that reached nobody are dialled again.
    """
    dice = seeded((batch_id, seed))
    scenes = [*_BEFORE[generation]]
    scenes += _dialling({"queued": contacts}, dice, generation, ending, lag=lag)
    if retry:
        again = retried(scenes[-1].calls or {})
        scenes += _dialling(again, dice, generation, ending, lag=lag)
    shown = [
        bolna_document(
            batch_id,
            status=scene.status,
            execution_status=scene.calls,
            file_name=file_name,
            valid_contacts=contacts,
            total_contacts=contacts,
            created_at=created_at,
            humanized_created_at=f"{minutes} minutes ago",
        )
        for minutes, scene in enumerate(scenes)
    ]
    return Life(spread(shown, seconds=seconds, dice=dice), clock=clock)


_BEFORE: Final = {
    Generation.OLDER: (
        Scene(status="created"),
        Scene(status="scheduled", calls={}),
    ),
    Generation.NEWER: (
        Scene(status="created"),
        Scene(status="processed"),
        Scene(status="scheduled", calls={}),
    ),
}
"""Before dispatch the calls are unknown, then none."""


def _dialling(
    calls: Calls, dice: Random, generation: Generation, ending: Ending, *, lag: bool
) -> Iterator[Scene]:
    course = [calls, *dial(calls, dice)]
    if ending is not Ending.COMPLETED:
        course = course[: 1 + len(course) // 2]
        course.append(cut_off(course[-1], _CUT_OFF[ending]))
    for shown in course if lag else course[:-1]:
        yield Scene(status=_busy_word(generation, shown), calls=shown)
    yield Scene(status=_last_word(generation, ending), calls=course[-1])


_CUT_OFF: Final = {Ending.STOPPED: "stopped", Ending.FAILED: "error"}


def _busy_word(generation: Generation, calls: Calls) -> str:
    """Say `executed` as soon as all is dispatched, in the older words; calls may be open."""
    if generation is Generation.NEWER:
        return "running"
    return "queued" if {"queued", "scheduled"} & calls.keys() else "executed"


def _last_word(generation: Generation, ending: Ending) -> str:
    if generation is Generation.OLDER and ending is Ending.COMPLETED:
        return "executed"
    return ending.value
