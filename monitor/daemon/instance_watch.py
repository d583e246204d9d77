"""The watch over our name: another daemon that bears it on the same Postgres is logged at once."""

import asyncio
from typing import Final

import structlog

from monitor.core.errors import InstanceRunningError, StorageError
from monitor.core.once import Once
from monitor.storage.servers.name import InstanceName

EVERY: Final = 10.0
"""Seconds between two looks; also within which a name that was lost is taken again."""

log = structlog.stdlib.get_logger()


class InstanceWatch:
    """Keep the name ours, which a restart of the server forgets.

    Two of one name spoil nothing, for each claim has its epoch; but whichever of them starts or
    stops gives back the other's claims, and so polls and sends twice.
    """

    def __init__(self, name: InstanceName) -> None:
        self._name = name
        self._logged: Once[str] = Once()

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
            if self._logged.is_news("doubled", at=asyncio.get_running_loop().time()):
                log.error("instance.doubled", reason=str(error))  # noqa: TRY400 (no bug of ours)
        except StorageError:
            return  # the loops log an outage
        else:
            if self._logged.end("doubled"):
                log.info("instance.alone")
