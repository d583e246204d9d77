"""The watch over our name: another daemon that bears it on the same Postgres is logged at once."""

import asyncio
from typing import Final

import structlog

from monitor.core.errors import InstanceRunningError, StorageError
from monitor.storage.servers.name import InstanceName

EVERY: Final = 10.0
"""Seconds between two looks; also within which a name that was lost is taken anew."""
REMIND: Final = 600.0
"""Seconds between two lines of the log while there is one."""

log = structlog.stdlib.get_logger()


class InstanceWatch:
    """Keep the name ours, which a restart of the server forgets.

    Two of one name spoil nothing, for each claim has its epoch; but whichever of them starts or
    stops gives back the other's claims, and so polls and sends twice.
    """

    def __init__(self, name: InstanceName) -> None:
        self._name = name
        self._told_at: float | None = None

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(EVERY)
            await self.look()

    async def look(self) -> None:
        """Take the name if it is free; else say who else bears it, and later its end."""
        try:
            await self._name.keep()
        except InstanceRunningError as error:
            now = asyncio.get_running_loop().time()
            if self._told_at is None or now - self._told_at >= REMIND:
                log.error("instance.doubled", reason=str(error))  # noqa: TRY400 (no bug of ours)
                self._told_at = now
        except StorageError:
            return  # the loops tell an outage
        else:
            if self._told_at is not None:
                log.info("instance.alone")
                self._told_at = None
