"""Liveness: whether the loops turn, by the monotonic clock, reported to systemd's watchdog."""

import asyncio
from collections.abc import Mapping
from typing import Final

import structlog

from monitor.daemon.bells import Bells
from monitor.daemon.systemd import Systemd
from monitor.engine.loop import Beat

HANG: Final = 30.0
"""Seconds for which a pass of a loop may be overdue before it counts as hanging."""
LOOK_EVERY: Final = 1.0
"""Seconds between two looks."""

log = structlog.stdlib.get_logger()


class Liveness:
    """Feed the watchdog while all loops turn, and keep the bells ringing.

    What the database does plays no part: a restart would not bring it back.
    """

    def __init__(self, beats: Mapping[str, Beat], *, bells: Bells, systemd: Systemd) -> None:
        self._beats = beats
        self._bells = bells
        self._systemd = systemd
        self._told: set[str] = set()

    @property
    def hanging(self) -> list[str]:
        """Return the loops that do not turn."""
        return [name for name, beat in self._beats.items() if beat.overdue > HANG]

    async def run(self) -> None:
        """Look once a second, for ever."""
        while True:
            hanging = self.hanging
            self._log_changes(set(hanging))
            if not hanging:
                self._systemd.feed_watchdog()
            self._bells.watch()
            await asyncio.sleep(LOOK_EVERY)

    def _log_changes(self, hanging: set[str]) -> None:
        for name in sorted(hanging - self._told):
            log.error("loop.hanging", loop=name, seconds=round(HANG))
        for name in sorted(self._told - hanging):
            log.info("loop.turns", loop=name)
        self._told = hanging
