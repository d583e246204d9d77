"""Housekeeping, once a minute: lanes, departures, hopeless deliveries, old events, the clock."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final

import structlog

from monitor.core.delivery import SCHEDULE, VerdictKind, lifetime
from monitor.engine.departures import Departures
from monitor.engine.loop import Loop, loop_time
from monitor.engine.parts import Parts, Resources
from monitor.storage.batches.identify import identify_batches
from monitor.storage.deliveries.claim import due_receivers
from monitor.storage.instances import touch_instance
from monitor.storage.upkeep import expire_deliveries, mend_plans, prune, repair_lanes

EVERY: Final = 120.0
"""Seconds after which it works even if nobody rings."""
LONGEST_REST: Final = 1.0
"""Seconds."""
SIGN_OF_LIFE: Final = 60.0
"""Seconds between two signs that the daemon is alive."""

log = structlog.stdlib.get_logger()


class Housekeeping:
    """Do the chores whenever the bell rings."""

    def __init__(self, resources: Resources, parts: Parts) -> None:
        self._database, self._clock = resources.database, resources.clock
        self._metrics, self._owner = resources.metrics, resources.owner
        self.loop = Loop("housekeeping", clock=self._clock, every=EVERY)
        self._departures = Departures(resources)
        self.parts = parts
        self._stepped = False
        self._touched = 0.0

    def change(self, parts: Parts) -> None:
        """Keep house for these parts from now on, and log at once who left."""
        self.parts = parts
        self.loop.bell.ring()

    async def turn(self) -> None:
        """Do all chores once."""
        await self._follow_clock()
        await self._touch()
        await identify_batches(self._database)
        now = self._clock.now()
        repaired = await repair_lanes(self._database, now=now)
        if repaired:
            log.error("lane.repaired", lanes=repaired)
        owed = await due_receivers(self._database)
        await self._departures.see_off(self.parts, owed, now=now)
        for receiver, schedule in self._schedules(owed).items():
            await self._expire(receiver, schedule)
        await self._mend_plans()
        began = loop_time()
        while not self.loop.closing and await prune(
            self._database, before=now - self.parts.retention
        ):
            began = await self._rest(began)
        self.loop.outage.ended()

    async def _mend_plans(self) -> None:
        """Make due what the start found planned by a clock that was put back."""
        began = loop_time()
        async for _ in mend_plans(self._database, now=self._clock.now()):
            if self.loop.closing:
                break
            began = await self._rest(began)

    def _schedules(self, owed: Iterable[str]) -> dict[str, Sequence[timedelta]]:
        """Return the schedule of each receiver; one that left the config has the usual one."""
        return dict.fromkeys(owed, SCHEDULE) | {
            one.name: one.schedule for one in self.parts.receivers
        }

    async def _expire(self, receiver: str, schedule: Sequence[timedelta]) -> None:
        """Give up what is older than a receiver's whole schedule."""
        began, now = loop_time(), self._clock.now()
        before = now - lifetime(schedule)
        while gone := await expire_deliveries(self._database, receiver, before=before, now=now):
            self._metrics.deliveries.labels(receiver, VerdictKind.DEAD.value).inc(gone)
            log.error("delivery.expired", receiver=receiver, deliveries=gone)
            began = await self._rest(began)

    async def _rest(self, began: float) -> float:
        """Leave the database to others for as long as a chunk took; return when that is over."""
        self.loop.beat.note()
        if loop_time() - self._touched >= SIGN_OF_LIFE:
            await self._touch()
        await asyncio.sleep(min(loop_time() - began, LONGEST_REST))
        return loop_time()

    async def _touch(self) -> None:
        """Say that this daemon is alive, also amid a chore that takes minutes."""
        await touch_instance(self._database, self._owner, now=self._clock.now())
        self._touched = loop_time()

    async def _follow_clock(self) -> None:
        trusted = self._database.dialect == "postgresql"
        off = self._clock.follow(await self._database.now(), trusted=trusted)
        if off and not self._stepped:
            log.warning("clock.stepped", seconds=round(off.total_seconds(), 1))
        self._stepped = bool(off)
