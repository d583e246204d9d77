"""A simulated Vogent: its paths, its documents, and the lives of its batch dial jobs."""

import time
from collections import deque
from collections.abc import Collection, Iterator
from enum import StrEnum
from typing import Any, ClassVar, Final

from aiohttp import web

from monitor.simulator.catalogue import job_page
from monitor.simulator.dialling import Stands, cancelled, dialled, lists_of
from monitor.simulator.lives import Clock, Document, Life, spread, step
from monitor.simulator.paging import Paging
from monitor.simulator.record import RECORD_LIMIT
from monitor.simulator.server import SimulatedApi
from monitor.simulator.story import seeded

CREATED_AT: Final = "2023-11-07T05:31:56Z"
"""When a job of the documentation was created."""


class SimulatedVogent(SimulatedApi):
    """Serve `GET /api/batch_dial_jobs`, `…/{id}`, and of each job `…/queue` and `…/dials`.

    A fault of one list is that of the batch `ID/queue` or `ID/dials`. Only answers about jobs are
    recorded; `pages` lists what was asked for of their lists.
    """

    prefix: ClassVar[str] = "/api"
    collection: ClassVar[str] = "batch_dial_jobs"

    def __init__(self, *, key: str, port: int = 0, clock: Clock = time.monotonic) -> None:
        super().__init__(key=key, port=port, clock=clock)
        self.paging = Paging()
        """How lists are shown."""
        self.pages: deque[tuple[str, str]] = deque(maxlen=RECORD_LIMIT)
        """`ID/queue`, `ID/dials` or, of the jobs, nothing; and the cursor."""

    async def _answer(self, request: web.BaseRequest, batch: str) -> web.StreamResponse:
        if request.path == f"{self.prefix}/{self.collection}":
            self.pages.append(("", request.query.get("cursor", "")))
            return await self._show(request, "", job_page(request, self._lives.values()))
        job_id, _, name = batch.rpartition("/")
        if not job_id or name not in {"queue", "dials"}:
            return await super()._answer(request, batch)
        life = self._lives.get(job_id)
        fault = self._fault_for(batch)
        self.pages.append((batch, request.query.get("cursor", "")))
        if fault is not None:
            return await self._wreck(request, fault, b'{"data": [], "cursor": null}')
        if life is None:
            return web.json_response({"error": "unknown_id"}, status=404)
        return await self.paging.answer(request, life.current.lists.get(name, ()))


class JobEnding(StrEnum):
    """How a job ends."""

    COMPLETE = "COMPLETE"
    CANCELLED = "CANCELLED"


def vogent_document(job_id: str, *, without: Collection[str] = (), **fields: Any) -> Document:
    """Return a document like the documented one, with other fields, or without some."""
    document: dict[str, Any] = {
        "id": job_id,
        "maxConcurrentDials": 10,
        "name": "spring campaign",
        "status": "INIT",
        "callAgentId": "agent-1",
        "createdAt": CREATED_AT,
        "fromPhoneNumberIds": ["number-1"],
        "schedule": {
            "days": [
                {"dayOfWeek": 1, "timeSlots": [{"startTime": "09:00", "endTime": "24:00"}]},
            ],
            "timezone": "America/New_York",
        },
    }
    return {name: value for name, value in (document | fields).items() if name not in without}


def vogent_life(
    job_id: str,
    *,
    contacts: int = 7,
    pauses: int = 1,
    ending: JobEnding = JobEnding.COMPLETE,
    name: str = "spring campaign",
    created_at: str = CREATED_AT,
    seed: object = 0,
    seconds: float = 30.0,
    clock: Clock | None = None,
) -> Life:
    """Live one job from `INIT` to its end, paused and resumed so many times.

    It dials around the clock. `COMPLETE` comes with the last call; cancelled half-way, its queue
    is gone, and calls under way end.
    """
    dice = seeded((job_id, seed))
    course = list(dialled(contacts, dice))
    if ending is JobEnding.CANCELLED:
        course = course[: 1 + len(course) // 2]
        course.append(cancelled(course[-1]))
    shown = [
        step(
            vogent_document(job_id, status=status, name=name, createdAt=created_at, schedule=None),
            lists=lists_of(job_id, stands),
        )
        for status, stands in [
            ("INIT", course[0]),
            *_active(course[:-1], pauses),
            (ending.value, course[-1]),
        ]
    ]
    return Life(spread(shown, seconds=seconds, dice=dice), clock=clock)


def _active(course: list[Stands], pauses: int) -> Iterator[tuple[str, Stands]]:
    """Show a course, held so many times in between."""
    held = {len(course) * (n + 1) // (pauses + 1) for n in range(pauses)}
    for number, stands in enumerate(course):
        if number in held:
            yield "PAUSED", stands
        yield "ACTIVE", stands
