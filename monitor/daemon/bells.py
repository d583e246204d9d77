"""The bells as APScheduler rings them, hung again when it has fallen silent."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from monitor.core.once import Once
from monitor.engine.loop import Bell, loop_time

SILENCE: Final = 5.0
"""Seconds without any ring after which the scheduler counts as dead; one bell rings each second."""

log = structlog.stdlib.get_logger()


class _Every(IntervalTrigger):  # type: ignore[misc]  # it ships no types
    """Miss what was missed.

    The scheduler lists every second that a wall clock was put ahead by, one by one, before it
    coalesces them: for the months of a machine without a clock of its own that takes minutes.
    """

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
        """Return when to ring next, once for all that was missed."""
        late = previous is not None and now - previous > self.interval
        found: datetime | None = super().get_next_fire_time(now if late else previous, now)
        return found


class Bells:
    """Own the scheduler; its jobs only ring, each bell every so many seconds.

    After one exception in its own loop it never fires again, and a wall clock that is put back
    stops it for as long (apscheduler#752, #794): the loops come round by themselves meanwhile, and
    `watch` starts another one.
    """

    def __init__(self, seconds: Mapping[Bell, int]) -> None:
        self._seconds = seconds
        self._rang_at = 0.0
        self._logged: Once[str] = Once()
        self._scheduler = AsyncIOScheduler(timezone=UTC)

    def start(self) -> None:
        """Begin to ring."""
        self._rang_at = loop_time()
        self._scheduler = AsyncIOScheduler(timezone=UTC)
        for bell, seconds in self._seconds.items():
            self._scheduler.add_job(
                self._ring,
                _Every(seconds=seconds, timezone=UTC),
                args=(bell,),
                coalesce=True,
                max_instances=1,
                misfire_grace_time=None,
            )
        self._scheduler.start()

    def stop(self) -> None:
        """Ring no more."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def watch(self) -> None:
        """Start another scheduler if this one has been silent for too long."""
        silent = loop_time() - self._rang_at
        if silent < SILENCE:
            return
        if self._logged.is_news("silent", at=loop_time()):
            log.warning("scheduler.replanned", silent_seconds=round(silent, 1))
        self.stop()
        self.start()

    async def _ring(self, bell: Bell) -> None:  # a plain function would ring from another thread
        self._rang_at = loop_time()
        bell.ring()
