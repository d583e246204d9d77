"""Readiness: whether the loops turn and the database takes writes, else why not."""

import asyncio
from typing import Final

from monitor.core.errors import StorageError
from monitor.daemon.liveness import HANG, Liveness
from monitor.engine.engine import Engine
from monitor.storage.database import Database
from monitor.storage.instances import touch_instance

CHECK: Final = 2.0
"""Seconds after which a database that takes a write no sooner is not well."""


class Readiness:
    """Answer what is not well, one line each."""

    def __init__(
        self, engine: Engine, database: Database, liveness: Liveness, *, instance: str
    ) -> None:
        self._engine = engine
        self._database = database
        self._liveness = liveness
        self._instance = instance
        self._write: asyncio.Task[None] | None = None
        """The write by which the database is tried."""

    async def problems(self) -> list[str]:
        """Return everything that is not well."""
        hanging = [f"the {name} has not turned for {HANG:.0f} s" for name in self._liveness.hanging]
        return hanging + await self.problems_of_database()

    async def problems_of_database(self) -> list[str]:
        """Return what the loops meet and what a write of ours meets."""
        met = {loop.outage.reason for loop in self._engine.loops.values() if loop.outage.reason}
        return sorted({*met, *await self._try_write()})

    async def _try_write(self) -> list[str]:
        """Try a write. One that hangs goes on: checks do not pile up, and cancelling it waits."""
        if self._write is None:
            touch = touch_instance(self._database, self._instance, now=self._engine.clock.now())
            self._write = asyncio.create_task(touch)
        write = self._write
        await asyncio.wait({write}, timeout=CHECK)
        if not write.done():
            return [f"the database {self._database.place} has taken no write for {CHECK:.0f} s"]
        self._write = None
        error = None if write.cancelled() else write.exception()
        if error is not None and not isinstance(error, StorageError):
            raise error
        return [] if error is None else [str(error)]

    @property
    def under_way(self) -> list[asyncio.Task[None]]:
        """Return the write that still hangs, for the end."""
        return [] if self._write is None else [self._write]
