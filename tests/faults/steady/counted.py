"""The daemon as a program that tells, whenever it gets SIGUSR1, how many tasks it has."""

import asyncio
import signal
from typing import Any

import structlog

SIGNAL = signal.SIGUSR1
LINE = "tasks.counted"
"""The log line that answers."""


def wrap() -> None:
    """Give the wiring a daemon that counts."""
    from monitor.daemon import process
    from monitor.daemon.daemon import Daemon

    log = structlog.stdlib.get_logger()

    class CountingDaemon(Daemon):
        async def start(self) -> None:
            await super().start()
            asyncio.get_running_loop().add_signal_handler(SIGNAL, tell)

    def tell() -> None:
        log.info(LINE, tasks=len(asyncio.all_tasks()))

    wiring: Any = process
    wiring.Daemon = CountingDaemon


def main() -> None:
    """Run the monitor's command line with that daemon."""
    from monitor.cli.main import main as monitor

    wrap()
    monitor()


if __name__ == "__main__":
    main()
