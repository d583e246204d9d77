"""A part: what one batch shows in the course of the day, and what is to be told of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from monitor.core.batch import Phase
from monitor.simulator.bolna import bolna_document
from monitor.simulator.lives import Clock, Life, step
from monitor.simulator.vogent import vogent_document

MIDNIGHT = datetime.fromisoformat("2026-03-04T00:00:00+00:00")
"""Where the day begins: a Wednesday."""
TOMORROW = timedelta(hours=33)
OPEN = frozenset(
    {"queued", "scheduled", "rescheduled", "ringing", "in-progress"} | {"call-disconnected"}
)
PHASES = {
    "created": Phase.PENDING,
    "scheduled": Phase.PENDING,
    "queued": Phase.PENDING,
    "INIT": Phase.PENDING,
    "running": Phase.RUNNING,
    "ACTIVE": Phase.RUNNING,
    "PAUSED": Phase.PAUSED,
    "executed": Phase.ENDED,
    "completed": Phase.ENDED,
    "stopped": Phase.ENDED,
    "failed": Phase.ENDED,
    "COMPLETE": Phase.ENDED,
    "CANCELLED": Phase.ENDED,
}
OPEN_HOURS = ((9, 12), (13, 17))
"""When the Vogent jobs dial, from Monday to Friday."""


def clock(hours: float) -> datetime:
    """Return a moment of the day."""
    return MIDNIGHT + timedelta(hours=hours)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Hold what a batch shows from a moment on."""

    at: datetime
    status: str
    counts: Mapping[str, int] | None = None
    scheduled_at: datetime | None = None

    @property
    def phase(self) -> Phase:
        return PHASES.get(self.status, Phase.UNKNOWN)

    @property
    def open_calls(self) -> int:
        return sum(n for word, n in (self.counts or {}).items() if word in OPEN)

    @property
    def shown(self) -> tuple[str, dict[str, int]]:
        """Return what a change is a change of."""
        return self.status, dict(self.counts or {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Hold one batch's day."""

    id: str
    source: str = "bolna"
    scenes: tuple[Scene, ...]
    added_at: datetime
    """When it is put under watch."""
    marks: tuple[str, ...] = ()
    """What is to be told but its first reading and changes of status and counts."""
    deleted_at: datetime | None = None

    def scene_at(self, at: datetime) -> Scene:
        """Return what it shows at a moment."""
        return [scene for scene in self.scenes if scene.at <= at][-1]

    def life(self, time: Clock) -> Life:
        """Play the scenes from now on, the moment of the first."""
        lasts = [(after.at - scene.at).total_seconds() for scene, after in pairwise(self.scenes)]
        steps = [
            step(self._document(scene), lasts=seconds)
            for scene, seconds in zip(self.scenes, [*lasts, 0.0], strict=True)
        ]
        return Life(steps, clock=time)

    def _document(self, scene: Scene) -> Mapping[str, Any]:
        if self.source == "vogent":
            return vogent_document(self.id, status=scene.status, schedule=_SCHEDULE)
        start = scene.scheduled_at
        contacts = sum((self.scenes[-1].counts or {}).values()) or 20
        return bolna_document(
            self.id,
            status=scene.status,
            execution_status=scene.counts,
            scheduled_at=None if start is None else start.isoformat(),
            valid_contacts=contacts,
            total_contacts=contacts,
            humanized_created_at=f"{scene.at:%H} hours ago",
        )


_SLOTS = [{"startTime": f"{start:02}:00", "endTime": f"{end:02}:00"} for start, end in OPEN_HOURS]
_SCHEDULE = {
    "timezone": "UTC",
    "days": [{"dayOfWeek": day, "timeSlots": _SLOTS} for day in range(1, 6)],
}
