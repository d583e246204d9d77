"""The daemon of the show: `monitor run` as a process of its own, with its log in a file."""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import monitor
from monitor.core.errors import DemoError

END_TIMEOUT: Final = 8.0
"""Seconds that it gets to end; it promises 5."""
LAST_LINES: Final = 5
_PACKAGES: Final = Path(monitor.__file__).parents[1]


class Daemon:
    """One daemon on a config file."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._log = config.with_name("daemon.log")
        self._process: asyncio.subprocess.Process | None = None
        self._started = False

    async def start(self) -> None:
        """Start it apart from the terminal, whose Ctrl-C is ours alone to answer."""
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "monitor", "run", "-c", str(self._config)),
                cwd=self._config.parent,
                env=_clean_environment(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def has_started(self) -> bool:
        """Return whether it says so."""
        self._started = self._started or b'"daemon.started"' in self._log.read_bytes()
        return self._started

    def check(self) -> None:
        """Raise DemoError once it has ended."""
        if self._process is not None and self._process.returncode is not None:
            lines = self._log.read_text(errors="replace").splitlines()[-LAST_LINES:]
            how = f"the daemon ended by itself with status {self._process.returncode}"
            raise DemoError("\n".join([f"{how}; its log ends with:", *lines]))

    async def stop(self) -> None:
        """End it cleanly, or by force when it takes too long."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                # not by send_signal: that looks first whether it has ended, and takes its status
                os.kill(process.pid, number)
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), END_TIMEOUT)
                return


def _clean_environment() -> dict[str, str]:
    """Leave out what would override the config; the package is found wherever we found it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MONITOR_")}
    paths = (str(_PACKAGES), kept.get("PYTHONPATH", ""))
    return {**kept, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}
