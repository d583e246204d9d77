"""A fleet: three daemons on one Postgres, and how long each batch went unpolled."""

import asyncio
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from monitor.simulator.bolna import SimulatedBolna
from monitor.simulator.record import ServedAnswer
from tests.accounting import State, shown
from tests.conftest import Until
from tests.consumer import Consumer
from tests.daemon_process import DaemonProcess
from tests.faults.figures import TIMED
from tests.faults.settings import config

INTERVAL: Final = 1.0
DEADLINE: Final = 1.0 if TIMED else 4.0
"""Of a poll and of an attempt, in seconds: what is under way is paused or killed before."""
LEASE: Final = 2 * DEADLINE + 5
"""Of a claimed batch, in seconds."""
SEND_LEASE: Final = 2 * DEADLINE + 10
"""Of a claimed delivery."""
UNPOLLED: Final = max(3 * INTERVAL, 2 * LEASE)
"""Seconds that no batch may go unpolled, whichever daemon is killed or paused."""
POLLING: Final = f"""
interval = "{INTERVAL:.0f}s"
idle_interval = "{INTERVAL:.0f}s"
settled_interval = "{INTERVAL:.0f}s"
deadline = "{DEADLINE:.0f}s"
"""


class Fleet:
    """Run daemons `one`, `two`, `three` on one database."""

    def __init__(self, folder: Path, database_url: str, *, size: int = 3) -> None:
        self.url = database_url
        self.daemons: dict[str, DaemonProcess] = {}
        for name in ("one", "two", "three")[:size]:
            (folder / name).mkdir()
            self.daemons[name] = DaemonProcess(folder / name, database_url, instance=name)

    def configure(self, bolna: SimulatedBolna, consumer: Consumer, ids: Iterable[str]) -> None:
        """Write all their configs, with the shortest leases for polls and deliveries."""
        receivers, receiver = {"crm": consumer.url}, f'timeout = "{DEADLINE:.0f}s"'
        text = config(bolna.base_url, receivers, ids, polling=POLLING, receiver=receiver)
        for daemon in self.daemons.values():
            daemon.configure(text)

    async def start(self, until: Until) -> None:
        """Start all at once; return when all have started."""
        await asyncio.gather(*(daemon.start() for daemon in self.daemons.values()))
        for daemon in self.daemons.values():
            await until(lambda d=daemon: bool(d.lines("daemon.started")), what="a start")

    async def restart(self, name: str, until: Until) -> None:
        """Kill one and start it anew."""
        daemon = self.daemons[name]
        started = len(daemon.lines("daemon.started"))
        await daemon.kill()
        await daemon.start()

        def over() -> bool:
            return len(daemon.lines("daemon.started")) > started or not daemon.alive

        await until(over, what=f"{name} again")
        assert daemon.alive, daemon.log.read_text()[-2000:]

    def logged(self, event: str) -> list[str]:
        """Name the daemons that logged an event, once for each line."""
        return [name for name, daemon in self.daemons.items() for _ in daemon.lines(event)]

    async def close(self) -> None:
        """Leave nothing running."""
        await asyncio.gather(*(daemon.close() for daemon in self.daemons.values()))


class Watchkeeper:
    """Listen to what a simulated account answers: the states shown, and each batch's silence."""

    def __init__(self, bolna: SimulatedBolna) -> None:
        self.states: dict[tuple[str, str], list[State]] = {}
        self.longest = 0.0
        """Seconds between two polls of one batch, at most."""
        self._last: dict[str, float] = {}
        bolna.record.listen(self._note)

    def close(self) -> float:
        """Count the time since the last polls too; return the longest silence."""
        now = time.monotonic()
        return max([self.longest, *(now - at for at in self._last.values())])

    def _note(self, served: ServedAnswer) -> None:
        self.longest = max(self.longest, served.at - self._last.get(served.batch, served.at))
        self._last[served.batch] = served.at
        if served.body is not None:
            states = self.states.setdefault(("/sources/bolna", served.batch), [])
            state = shown(served.document)
            if not states or states[-1] != state:
                states.append(state)
