"""The monitor's programs as tests start them: processes of their own, at the cost of a fork."""

import asyncio
import atexit
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from pathlib import Path
from resource import RLIMIT_FSIZE, RLIMIT_NOFILE, getrlimit
from typing import Final

from tests.forking import HEAD, Request

PIPE: Final = asyncio.subprocess.PIPE
STDOUT: Final = asyncio.subprocess.STDOUT
ROOT: Final = Path(__file__).parents[1]


class Program:
    """A program that runs; its methods are those of `asyncio.subprocess.Process`."""

    def __init__(
        self,
        pid: int,
        status: asyncio.StreamReader,
        stdin: int | None,
        stdout: asyncio.StreamReader | None,
        stderr: asyncio.StreamReader | None,
    ) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdout = stdout
        self.stderr = stderr
        self._stdin = stdin
        self._end = asyncio.create_task(self._wait_for(status))

    async def wait(self) -> int:
        """Wait until it has ended; return its exit status, or minus the signal that ended it."""
        return await asyncio.shield(self._end)

    async def communicate(self, stdin: bytes = b"") -> tuple[bytes, bytes]:
        """Give it its whole input; return what it wrote, when it has ended."""
        giving = asyncio.to_thread(self._give, stdin)
        _, out, err = await asyncio.gather(giving, _read(self.stdout), _read(self.stderr))
        await self.wait()
        return out, err

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it has not ended by now."""
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)

    async def _wait_for(self, status: asyncio.StreamReader) -> int:
        self.returncode = int(await status.read())
        return self.returncode

    def _give(self, stdin: bytes) -> None:
        if self._stdin is not None:
            with suppress(BrokenPipeError), os.fdopen(self._stdin, "wb") as file:
                file.write(stdin)


async def start(
    *arguments: str,
    module: str = "monitor",
    stdin: int | None = None,
    stdout: int | None = None,
    stderr: int | None = None,
    env: Mapping[str, str] | None = None,
    strict: bool = False,
    open_files: int | None = None,
) -> Program:
    """Start a module of the monitor, or of the tests, as a program in the present folder.

    Files and environment are those of `asyncio.create_subprocess_exec`; limits are inherited. In
    a strict program a warning is an error. One can be kept from having more than so many open
    files.
    """
    files = (open_files, open_files) if open_files else getrlimit(RLIMIT_NOFILE)
    request = Request(
        module=module,
        arguments=arguments,
        environment=dict(os.environ if env is None else env),
        folder=str(Path.cwd()),
        strict=strict,
        limits=((RLIMIT_NOFILE, *files), (RLIMIT_FSIZE, *getrlimit(RLIMIT_FSIZE))),
    )
    given, ours_in = os.pipe() if stdin == PIPE else (0 if stdin is None else stdin, None)
    out, given_out = os.pipe() if stdout == PIPE else (None, 1 if stdout is None else stdout)
    err, given_err = os.pipe() if stderr == PIPE else (None, 2 if stderr is None else stderr)
    if stderr == STDOUT:
        given_err = given_out
    status, given_status = os.pipe()
    _ask(request, [given, given_out, given_err, given_status])
    for lent, kept in ((given, ours_in), (given_out, out), (given_err, err)):
        if kept is not None:
            os.close(lent)
    os.close(given_status)
    reader = await _open(status)
    return Program(
        int(await reader.readline()),
        reader,
        ours_in,
        None if out is None else await _open(out),
        None if err is None else await _open(err),
    )


def _ask(request: Request, files: list[int]) -> None:
    text = json.dumps(asdict(request)).encode()
    socket.send_fds(_forker(), [b"%*d" % (HEAD, len(text))], files)
    _forker().sendall(text)


@cache
def _forker() -> socket.socket:
    """Return where to ask for programs; who forks them ends with this process."""
    ours, theirs = socket.socketpair()
    process = subprocess.Popen(  # noqa: S603 (our own command)
        [sys.executable, "-m", "tests.forking", str(theirs.fileno())],
        stdin=subprocess.DEVNULL,
        pass_fds=[theirs.fileno()],
        cwd=ROOT,
    )
    theirs.close()

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


async def _open(file: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(file, "rb", 0)
    )
    return reader


async def _read(stream: asyncio.StreamReader | None) -> bytes:
    return b"" if stream is None else await stream.read()
