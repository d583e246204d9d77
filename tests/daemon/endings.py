"""Programs whose end hangs: how that is forced is seen from outside, `endings NAME [CONFIG]`."""

import asyncio
import fcntl
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from monitor.config.load import load
from monitor.daemon import process
from monitor.daemon.daemon import Daemon

SECONDS = 0.5
"""What an end may take, and its tracebacks."""


async def look_up() -> None:
    """Leave while a thread looks a name up."""
    asyncio.get_running_loop().run_in_executor(None, time.sleep, 3600)
    process.leave()


async def hang() -> None:
    """Be told to end as soon as it runs, and never do."""
    parts: tuple[Any, ...] = (process, Daemon)
    parts[0].LONGEST_END = parts[0].TRACEBACKS = SECONDS
    parts[1].start, parts[1].stop = _end, _hang
    await process.run(load(Path(sys.argv[2])))


async def hang_unread() -> None:
    """Hang where nobody takes the tracebacks."""
    _, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    os.write(writing, b"x" * 4096)
    os.dup2(writing, 2)
    await hang()


async def _end(_: Daemon) -> None:
    os.kill(os.getpid(), signal.SIGTERM)


async def _hang(_: Daemon) -> None:
    await asyncio.sleep(3600)


if __name__ == "__main__":
    asyncio.run({"look_up": look_up, "hang": hang, "hang_unread": hang_unread}[sys.argv[1]]())
