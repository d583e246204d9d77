"""Signals to programs that tests have started."""

import asyncio
import os
from contextlib import suppress

from tests.programs import Program


def send(process: Program | asyncio.subprocess.Process, number: int) -> None:
    """Send a signal to a program, which may have ended by now.

    `Process.send_signal` looks first whether it has; one that has then loses its exit status to
    that look, and asyncio reports 255.
    """
    with suppress(ProcessLookupError):
        os.kill(process.pid, number)
