"""The status line that `systemctl status` shows."""

from collections.abc import Callable
from typing import Final

from monitor.core.errors import StorageError
from monitor.daemon.readiness import Readiness
from monitor.daemon.systemd import Systemd
from monitor.engine.loop import Bell
from monitor.storage.counts import count_batches, count_pending
from monitor.storage.database import Database

EVERY: Final = 10.0
"""Seconds between two looks."""


class Status:
    """Keep the line true."""

    def __init__(
        self,
        systemd: Systemd,
        readiness: Readiness,
        database: Database,
        *,
        bell: Bell,
        reload_refused: Callable[[], bool],
    ) -> None:
        self._systemd = systemd
        self._readiness = readiness
        self._database = database
        self._bell = bell
        self._reload_refused = reload_refused

    async def run(self) -> None:
        """Report it every ten seconds and whenever the bell rings, if anybody hears it."""
        while self._systemd.listens:
            self._systemd.status(await self.line())
            await self._bell.wait(EVERY)

    async def line(self) -> str:
        """Write the line."""
        refused = "; the last reload was refused, see the log" if self._reload_refused() else ""
        if problems := await self._readiness.problems():
            return f"not ready: {'; '.join(problems)}{refused}"
        try:
            batches = sum(one.number for one in (await count_batches(self._database)).values())
            pending = sum((await count_pending(self._database)).values())
        except StorageError as error:
            return f"not ready: {error}{refused}"
        batches_noun = "batch" if batches == 1 else "batches"
        deliveries_noun = "delivery" if pending == 1 else "deliveries"
        watched = f"{batches:,} {batches_noun} watched"
        return f"{watched}, {pending:,} {deliveries_noun} pending{refused}"
