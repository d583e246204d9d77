"""The status line that `systemctl status` shows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from monitor.core.errors import StorageError
from monitor.daemon.readiness import Readiness
from monitor.daemon.systemd import Systemd
from monitor.engine.loop import Bell
from monitor.storage.counts import count_batches, count_pending
from monitor.storage.database import Database

EVERY: Final = 10.0
"""Seconds between two looks."""


@dataclass(kw_only=True, eq=False)
class Status:
    """Keep the line true."""

    systemd: Systemd
    readiness: Readiness
    database: Database
    bell: Bell
    reload_refused: Callable[[], bool]

    async def run(self) -> None:
        """Report it every ten seconds and whenever the bell rings, if anybody hears it."""
        while self.systemd.listens:
            self.systemd.status(await self.line())
            await self.bell.wait(EVERY)

    async def line(self) -> str:
        """Write the line."""
        refused = "; the last reload was refused, see the log" if self.reload_refused() else ""
        if problems := await self.readiness.problems():
            return f"not ready: {'; '.join(problems)}{refused}"
        try:
            batches = sum(one.number for one in (await count_batches(self.database)).values())
            pending = sum((await count_pending(self.database)).values())
        except StorageError as error:
            return f"not ready: {error}{refused}"
        batches_noun = "batch" if batches == 1 else "batches"
        deliveries_noun = "delivery" if pending == 1 else "deliveries"
        watched = f"{batches:,} {batches_noun} watched"
        return f"{watched}, {pending:,} {deliveries_noun} pending{refused}"
