"""`monitor run` as a process that is killed, paused and started anew; a planted bug goes along."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp

from tests import patient, programs
from tests.faults import crashing
from tests.faults.accounting import Stored, read_stored
from tests.faults.figures import TIMED
from tests.patient import HANG
from tests.planted import VARIABLE
from tests.programs import PIPE, STDOUT, Program
from tests.signals import send


async def start_program(
    *arguments: str, module: str = "monitor", within: Sequence[str] = (), **options: Any
) -> Program | asyncio.subprocess.Process:
    """Start the monitor, with the bug that is planted, if any; see `programs.start`.

    Another module may stand for it: the same with wrapped parts, say. A command may run it in
    another world: as the same process.
    """
    bug = os.environ.get(VARIABLE)
    if not bug and not within:
        return await programs.start(*arguments, module=module, **options)
    planted = ("tests.planted", bug) if bug else ()
    return await asyncio.create_subprocess_exec(
        *within, sys.executable, "-m", *planted, module, *arguments, **options
    )


PROGRAM = "monitor" if TIMED else patient.__name__
"""It is held to the seconds in which it must end where nothing else runs."""


class Daemon:
    """Run `monitor run` as a process of its own, on SQLite in its folder or on a given Postgres."""

    def __init__(
        self, folder: Path, database_url: str | None = None, *, instance: str | None = None
    ) -> None:
        self.folder = folder
        self.config = folder / "config.toml"
        self.log = folder / "log"
        self.database_url = database_url or f"sqlite:///{folder}/monitor.db"
        self.within: list[str] = []
        """The command that runs it in another world, if any: as the same process."""
        self.pid = 0
        self._instance = instance
        self._process: Program | asyncio.subprocess.Process | None = None

    def configure(self, text: str) -> None:
        """Write the config file; port 0 keeps runs apart."""
        own = f'[server]\nlisten = "127.0.0.1:0"\n[database]\nurl = "{self.database_url}"\n'
        self.config.write_text(own + text)

    async def start(self, *, crash_at: str | None = None, module: str = PROGRAM) -> None:
        """Start it; it may not be ready yet. It can be one that kills itself at a named point.

        Another module may stand for the program.
        """
        environment = {**os.environ, "MONITOR_LOG_FORMAT": "json"}
        if crash_at is not None:
            environment[crashing.VARIABLE] = crash_at
        if self._instance is not None:
            environment["MONITOR_INSTANCE"] = self._instance
        with self.log.open("ab") as log:
            self._process = await start_program(
                *("run", "-c", str(self.config)),
                module=module if crash_at is None else crashing.__name__,
                within=self.within,
                stdout=log.fileno(),
                stderr=log.fileno(),
                env=environment,
            )
        self.pid = self._process.pid

    @property
    def alive(self) -> bool:
        """Tell whether it was started and has not ended."""
        return self._process is not None and self._process.returncode is None

    async def kill(self) -> None:
        """End it by kill -9."""
        assert self._process is not None
        if self._process.returncode is None:
            send(self._process, signal.SIGKILL)
        await self._process.wait()

    def pause(self) -> None:
        """Stop it from running at all, until `resume`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on where it was."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def terminate(self) -> None:
        """Ask it to end, by SIGTERM."""
        assert self._process is not None
        send(self._process, signal.SIGTERM)

    async def stop(self) -> tuple[int, float]:
        """End it by SIGTERM; return its exit status and the seconds it took."""
        began = time.monotonic()
        self.terminate()
        return await self.end(), time.monotonic() - began

    async def end(self) -> int:
        """Wait until it has ended by itself; return its exit status."""
        assert self._process is not None
        return await asyncio.wait_for(self._process.wait(), HANG)

    async def command(self, *arguments: str) -> tuple[int, str]:
        """Run another command of the program; return its exit status and all that it printed."""
        process = await start_program(
            *arguments, "-c", str(self.config), stdout=PIPE, stderr=STDOUT
        )
        output, _ = await process.communicate()
        return process.returncode or 0, output.decode()

    async def get(self, path: str) -> str:
        """Ask the daemon's own endpoints."""
        address = self.lines("daemon.started")[-1]["listen"]
        async with aiohttp.request("GET", f"http://{address}{path}") as answer:
            return await answer.text()

    async def close(self) -> None:
        """Leave nothing running."""
        if self._process is not None:
            await self.kill()

    def stored(self) -> Stored:
        """Read what the database says."""
        return read_stored(self.database_url)

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Return the log lines of one event."""
        if not self.log.exists():
            return []
        # a kill may have cut the last line off
        whole = (line for line in self.log.read_text().splitlines() if line.endswith("}"))
        return [line for line in map(json.loads, whole) if line["event"] == event]
