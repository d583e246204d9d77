"""An outage of the database as a loop meets it: the line of the log, again, and its end."""

from datetime import datetime

import structlog

from monitor.core.errors import StorageError
from monitor.core.once import Once

log = structlog.stdlib.get_logger()


class Outage:
    """Log it when it begins, every ten minutes (`core/once`), and when it ends."""

    def __init__(self, loop: str) -> None:
        self._loop = loop
        self._logged: Once[str] = Once()
        self.reason: str | None = None
        """Why it lasts; None while the database does what this loop asks."""

    def began(self, error: StorageError, *, at: datetime) -> None:
        """Log a failure, unless that was done within ten minutes."""
        self.reason = str(error)
        if self._logged.is_news(self._loop, at=at.timestamp()):
            log.error("database.failing", loop=self._loop, reason=self.reason)

    def ended(self) -> None:
        """Log the end of what was logged."""
        self.reason = None
        if self._logged.end(self._loop):
            log.info("database.recovered", loop=self._loop)
