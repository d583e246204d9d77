"""A Postgres server of one test's own, which is stopped immediately and started anew."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from tests.postgres import (
    Postgres,
    _folder,
    _identity,
    _run_initdb,
    _runnable,
    _user,
    _wait_until_ready,
    find_binaries,
    find_memory,
)

SETTINGS: Final = (
    "listen_addresses=",
    "fsync=off",
    "full_page_writes=off",
    "autovacuum=off",
    "max_connections=100",
)
"""Only the machine's own end could lose what is not synced: commits are with the system before they
are answered (`synchronous_commit` is on, else an immediate stop would lose the last of them)."""
_UNTIL_END: Final = '"$@" & read -r last; kill -QUIT $!; wait $!; [ "$last" ] || rm -rf "$0"'
"""The pipe closes with the run, also with one that is killed: then server and data go at once."""


class Server:
    """Run PostgreSQL in a folder; the socket and the data stay the same from start to start."""

    def __init__(self, binaries: Path, folder: Path, identity: dict[str, Any]) -> None:
        self.binaries = binaries
        self.folder = folder
        self.data = folder / "data"
        self._identity = identity
        self.postgres = Postgres(f"postgresql://{_user(identity)}@/postgres?host={folder}")
        self._process: subprocess.Popen[bytes] | None = None

    async def make(self) -> None:
        """Make the data."""
        await asyncio.to_thread(_run_initdb, self.binaries / "initdb", self.data, self._identity)

    async def start(self, *, more: Sequence[str] = ()) -> None:
        """Start; return when it takes connections."""
        command = [str(self.binaries / "postgres"), "-D", str(self.data), "-k", str(self.folder)]
        command += [word for setting in (*SETTINGS, *more) for word in ("-c", setting)]
        log = self.folder / "log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: ASYNC220 (it only starts)
                ["/bin/sh", "-c", _UNTIL_END, str(self.data), *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
                cwd=self.folder,
                **self._identity,
            )
        await asyncio.to_thread(_wait_until_ready, self.postgres, self._process, log)

    async def stop(self) -> None:
        """Stop immediately, as `pg_ctl stop -m immediate` does: the next start recovers."""
        if self._process is None or self._process.stdin is None:
            return
        self._process.stdin.write(b"keep the data\n")
        self._process.stdin.close()
        await asyncio.to_thread(self._process.wait, 30)
        self._process = None

    async def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs."""
        command = [str(self.binaries / program), *arguments]
        run = partial(subprocess.run, command, check=True, capture_output=True)
        await asyncio.to_thread(run, **self._identity)


@asynccontextmanager
async def run_server(*, more: Sequence[str] = ()) -> AsyncIterator[Server]:
    """Run a server until the end."""
    identity = _identity()
    with _folder(identity) as copies, _folder(identity, find_memory()) as folder:
        binaries = await asyncio.to_thread(_runnable, find_binaries(), copies, identity)
        server = Server(binaries, folder, identity)
        await server.make()
        await server.start(more=more)
        try:
            yield server
        finally:
            await server.stop()


@asynccontextmanager
async def run_standby(primary: Server) -> AsyncIterator[Server]:
    """Run a standby that has each commit of a server before that is answered."""
    identity = _identity()
    with _folder(identity, find_memory()) as folder:
        server = Server(primary.binaries, folder, identity)
        source, target = str(primary.folder), str(server.data)
        await server.run("pg_basebackup", "-h", source, "-D", target, "-R", "-c", "fast")
        await server.start()
        try:
            primary.postgres.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            primary.postgres.execute("SELECT pg_reload_conf()")
            yield server
        finally:
            await server.stop()
