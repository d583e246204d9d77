"""A simulated Vogent: its path, its documents, and the lives of its batch dial jobs."""

from collections.abc import Collection
from enum import StrEnum
from typing import Any, ClassVar

from monitor.simulator.lives import Clock, Document, Life, spread
from monitor.simulator.server import SimulatedApi
from monitor.simulator.story import seeded


class SimulatedVogent(SimulatedApi):
    """Serve `GET /api/batch_dial_jobs/{id}`."""

    prefix: ClassVar[str] = "/api"
    collection: ClassVar[str] = "batch_dial_jobs"


class JobEnding(StrEnum):
    """Say how a job ends."""

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
        "createdAt": "2023-11-07T05:31:56Z",
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
    pauses: int = 1,
    ending: JobEnding = JobEnding.COMPLETE,
    name: str = "spring campaign",
    seed: object = 0,
    seconds: float = 30.0,
    clock: Clock | None = None,
) -> Life:
    """Live one job from `INIT` to its end, paused and resumed so many times."""
    statuses = ["INIT", "ACTIVE", *["PAUSED", "ACTIVE"] * pauses, ending.value]
    shown = [vogent_document(job_id, status=status, name=name) for status in statuses]
    dice = seeded((job_id, seed))
    return Life(spread(shown, seconds=seconds, dice=dice), clock=clock)


def random_vogent_life(
    job_id: str, *, seed: object = 0, seconds: float = 30.0, clock: Clock | None = None
) -> Life:
    """Live one job of a seeded kind: any ending, up to three pauses."""
    dice = seeded(("kind", job_id, seed))
    return vogent_life(
        job_id,
        pauses=dice.randint(0, 3),
        ending=dice.choice(list(JobEnding)),
        seed=seed,
        seconds=seconds,
        clock=clock,
    )
