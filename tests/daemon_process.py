"""`monitor run` as a process of its own, which can be killed, paused and started anew."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from tests import patient, programs
from tests.accounting import Stored, read_stored
from tests.faults.figures import TIMED
from tests.patient import HANG
from tests.planted import VARIABLE
from tests.programs import PIPE, STDOUT, Program
from tests.signals import send

PROGRAM = "monitor" if TIMED else patient.__name__
"""It is held to the seconds in which it must end where nothing else runs."""
OF_CONFIG = ("CONFIG", "DATABASE_URL", "LISTEN", "LOG_LEVEL", "INSTANCE")
"""What the program would take from this process's environment as config."""


async def start_program(
    *arguments: str, module: str = "monitor", within: Sequence[str] = (), **options: Any
) -> Program | asyncio.subprocess.Process:
    """Start the monitor, with the bug that is planted, if any; see `programs.start`.

    Another module may stand for it: the same with wrapped parts, say. A command may run it in
    another world: as the same process.
    """
    bug = os.environ.get(VARIABLE)
    if not bug and not within:
        return await programs.start(*arguments, module=module, strict=True, **options)
    planted = ("tests.planted", bug) if bug else ()
    return await asyncio.create_subprocess_exec(
        *within, sys.executable, "-m", *planted, module, *arguments, **options
    )


class DaemonProcess:
    """Run `monitor run` with the config in a folder, and its log beside that.

    The database is SQLite in that folder, or a given one. The environment is this process's, but
    for what would change the config, and what is given here.
    """

    def __init__(
        self,
        folder: Path,
        database_url: str | None = None,
        *,
        instance: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.config = folder / "config.toml"
        self.log = folder / "log"
        self.database_url = database_url or f"sqlite:///{folder}/monitor.db"
        self.within: list[str] = []
        """The command that runs it in another world, if any: as the same process."""
        self.pid = 0
        self.stopped_in = 0.0
        """Seconds that the last stop took."""
        self._environment = {"MONITOR_LOG_FORMAT": "json"} | dict(environment or {})
        if instance is not None:
            self._environment["MONITOR_INSTANCE"] = instance
        self._process: Program | asyncio.subprocess.Process | None = None

    def configure(self, text: str) -> None:
        """Write the config file; port 0 keeps runs apart."""
        own = f'[server]\nlisten = "127.0.0.1:0"\n[database]\nurl = "{self.database_url}"\n'
        self.config.write_text(own + text)

    async def start(
        self,
        module: str = PROGRAM,
        *,
        environment: Mapping[str, str] | None = None,
        output: int | None = None,
        **limits: int,
    ) -> None:
        """Start it; it may not be ready yet. Another module may stand for the program.

        It may have more in its environment, another output than its log, and limits as
        `programs.start` takes them.
        """
        ours = {k: v for k, v in os.environ.items() if k.removeprefix("MONITOR_") not in OF_CONFIG}
        with self.log.open("ab") as log:
            self._process = await start_program(
                *("run", "-c", str(self.config)),
                module=module,
                within=self.within,
                stdout=log.fileno() if output is None else output,
                stderr=log.fileno() if output is None else output,
                env={**ours, **self._environment, **(environment or {})},
                **limits,
            )
        self.pid = self._process.pid

    @property
    def alive(self) -> bool:
        """Tell whether it was started and has not ended."""
        return self._process is not None and self._process.returncode is None

    def started(self) -> bool:
        """Tell whether it has ever come up."""
        return bool(self.lines("daemon.started"))

    def tell(self, number: int) -> None:
        """Send it a signal, if it has not ended by now."""
        assert self._process is not None
        if self._process.returncode is None:
            send(self._process, number)

    async def kill(self) -> None:
        """End it by kill -9."""
        self.tell(signal.SIGKILL)
        await self.end()

    def pause(self) -> None:
        """Stop it from running at all, until `resume`."""
        self.tell(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on where it was."""
        self.tell(signal.SIGCONT)

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """End it by a signal; return its exit status."""
        began = time.monotonic()
        self.tell(number)
        status = await self.end()
        self.stopped_in = time.monotonic() - began
        return status

    async def end(self) -> int:
        """Wait until it has ended by itself; return its exit status."""
        assert self._process is not None
        return await asyncio.wait_for(self._process.wait(), HANG)

    async def close(self) -> None:
        """Leave nothing running."""
        if self._process is not None:
            await self.kill()

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

    def stored(self) -> Stored:
        """Read what the database says."""
        return read_stored(self.database_url)

    @property
    def output(self) -> str:
        """Return all that it logged."""
        return self.log.read_text() if self.log.exists() else ""

    def lines(self, event: str | None = None) -> list[dict[str, Any]]:
        """Return the log lines of one event, or all; every line must be JSON."""
        whole, _, _half = self.output.rpartition("\n")
        lines = map(json.loads, whole.splitlines())
        return [line for line in lines if event in (None, line["event"])]
