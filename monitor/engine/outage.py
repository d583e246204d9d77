"""An outage of the database as one loop meets it: told at its start, every ten minutes, its end."""

from datetime import datetime, timedelta
from typing import Final

import structlog

from monitor.core.errors import StorageError

REMIND_AFTER: Final = timedelta(minutes=10)

log = structlog.stdlib.get_logger()


class Outage:
    """Keep one loop from repeating itself in the log while the database fails."""

    def __init__(self, loop: str) -> None:
        self._loop = loop
        self._told: datetime | None = None
        self.reason: str | None = None
        """Why it lasts; none while the database does what this loop asks."""

    def began(self, error: StorageError, *, at: datetime) -> None:
        """Tell a failure, unless that was done within ten minutes."""
        self.reason = str(error)
        if self._told is None or at - self._told >= REMIND_AFTER:
            log.error("database.failing", loop=self._loop, reason=str(error))
            self._told = at

    def ended(self) -> None:
        """Tell the end of what was told."""
        self.reason = None
        if self._told is not None:
            log.info("database.recovered", loop=self._loop)
            self._told = None
