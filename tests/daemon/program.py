"""`monitor run` as a process of its own."""

import asyncio
import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests import programs
from tests.patient import HANG
from tests.programs import PIPE, STDOUT, Program

Line = dict[str, Any]


class Process:
    """`monitor run` as a process of its own."""

    def __init__(self, config: Path, environment: Mapping[str, str] | None = None) -> None:
        self._config = config
        self._environment = dict(environment or {})
        self._process: Program | None = None
        self._reader: asyncio.Task[None] | None = None
        self.output = ""

    async def start(
        self,
        module: str = "tests.patient",
        *,
        output: int = PIPE,
        files: int | None = None,
    ) -> None:
        """Start it; `monitor` is the program that hurries at its end.

        Another output is not read. It may have so many files open.
        """
        self._process = await programs.start(
            *("run", "-c", str(self._config)),
            module=module,
            stdout=output,
            stderr=STDOUT,
            env={k: v for k, v in os.environ.items() if not k.startswith("MONITOR_")}
            | self._environment,
            strict=True,
            open_files=files,
        )
        if self._process.stdout is not None:
            self._reader = asyncio.create_task(self._read(self._process.stdout))

    async def _read(self, output: asyncio.StreamReader) -> None:
        async for line in output:
            self.output += line.decode()

    def lines(self, event: str | None = None) -> list[Line]:
        """Return what was logged; every line must be JSON."""
        found = [json.loads(line) for line in self.output.splitlines()]
        return [line for line in found if event in (None, line["event"])]

    def started(self) -> bool:
        return '"daemon.started"' in self.output

    def tell(self, number: int) -> None:
        """Send a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(number)
        code = await asyncio.wait_for(self._process.wait(), HANG)
        if self._reader is not None:
            await self._reader
        self._process = None
        return code

    async def end(self) -> None:
        if self._process is not None:
            await self.stop(signal.SIGKILL)
