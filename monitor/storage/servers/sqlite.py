"""The SQLite file at work: a thread of its own for all that write, and two for those that read."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.pool import ConnectionPoolEntry

from monitor.core.errors import ConfigError, NoDatabaseError, StorageError
from monitor.storage.servers.file import (
    FileIdentity,
    check_folder,
    connect,
    create_private,
    identify,
    is_there,
)

_OLDEST: Final = (3, 35, 0)
"""The first SQLite with RETURNING."""
_WRITERS: Final = 1
_READERS: Final = 2
_PRAGMAS: Final = (
    "PRAGMA busy_timeout = 5000",
    "PRAGMA auto_vacuum = INCREMENTAL",  # before the first table, or it has no effect
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    # what does not fit its cache would go to a file in /var/tmp: full, or of a read-only root
    "PRAGMA temp_store = MEMORY",
)
_HURRY: Final = "PRAGMA busy_timeout = 100"
_OTHERS_AT_IT: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)
_WAL_TRIES: Final = 100
_WAL_PAUSE: Final = 0.05
"""In seconds."""

T = TypeVar("T")


class SqliteFile:
    """A file, and the threads by which units of work are run, each as a whole in one of them.

    A change of threads costs tens of microseconds, and milliseconds while the event loop is busy:
    the interpreter lets one thread run at a time. So there is one for a unit, not for a statement.
    """

    def __init__(self, url: URL) -> None:
        """Take `sqlite:///path`; raise ConfigError for a SQLite that is too old."""
        if sqlite3.sqlite_version_info < _OLDEST:
            raise ConfigError([f"SQLite 3.35 or newer is needed, this is {sqlite3.sqlite_version}"])
        self._url = url.set(drivername="sqlite+pysqlite")
        self.path = Path(url.database or "")
        self._opened: FileIdentity | None = None
        """Which file it was that was opened by this path."""
        self._crews: dict[bool, _Crew] = {}
        self._hurried = False

    async def run(
        self, work: Callable[[Connection], T], *, writes: bool, patient: bool = False
    ) -> T:
        """Run a unit of work; once it has the file it goes on to its end, even if cancelled.

        What bounds it is busy_timeout, `patient` or not. Raises NoDatabaseError when something is
        to be read and there is no file yet.
        """
        if self._opened is None and not writes and not is_there(self.path):
            check_folder(self.path)
            raise NoDatabaseError(
                f"no database at {self.path} yet: `monitor run`, `migrate` or `add` makes one"
            )
        crew = self._crews.get(writes)
        if crew is None:
            crew = self._crews[writes] = self._open(writes=writes)
        return await crew.run(work)

    def hurry(self) -> None:
        """Wait no longer for a file that somebody else holds: the process is to end."""
        self._hurried = True

    async def close(self) -> None:
        """Close all connections, after what was begun."""
        crews, self._crews = self._crews, {}
        for crew in crews.values():
            await crew.close()

    def _open(self, *, writes: bool) -> "_Crew":
        if self._opened is None:
            create_private(self.path)
            self._opened = identify(self.path)
        size = _WRITERS if writes else _READERS
        engine = create_engine(
            self._url, creator=self._connect, hide_parameters=True, pool_size=size, max_overflow=0
        )

        def connect(connection: sqlite3.Connection, _record: ConnectionPoolEntry) -> None:
            for pragma in (_HURRY, *_PRAGMAS[1:]) if self._hurried else _PRAGMAS:
                connection.execute(pragma)
            _switch_to_wal(connection)

        def begin(connection: Connection) -> None:
            # who writes waits for the file at once: amid a transaction SQLite refuses instead,
            # for what was read before may be old by then
            if self._hurried:
                connection.exec_driver_sql(_HURRY)
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

        event.listen(engine, "connect", connect)
        event.listen(engine, "begin", begin)
        return _Crew(engine, threads=size, before_commit=self._check_file)

    def _connect(self) -> sqlite3.Connection:
        """Connect to the file that is there; SQLite itself would make one that all can read."""
        self._check_file()
        return connect(self.path, "rw")

    def _check_file(self) -> None:
        """Raise StorageError unless the path still leads to the file that was opened.

        What is written to one that was removed or replaced is seen by nobody else, and is gone with
        this process.
        """
        found = identify(self.path)
        if found != self._opened:
            what = "was removed" if found is None else "was replaced by another file"
            raise StorageError(
                f"{self.path} {what} while it was in use, and takes no more: move it back, or stop"
                " the monitor and start it again with another"
            )


class _Crew:
    """Connections, and as many threads as there are."""

    def __init__(self, engine: Engine, *, threads: int, before_commit: Callable[[], None]) -> None:
        self._engine = engine
        self._before_commit = before_commit
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="sqlite")

    async def run(self, work: Callable[[Connection], T]) -> T:
        loop, given_up = asyncio.get_running_loop(), Event()
        try:
            return await loop.run_in_executor(self._threads, self._do, work, given_up)
        except asyncio.CancelledError:
            given_up.set()
            raise

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._threads, self._engine.dispose)
        self._threads.shutdown(wait=False)

    def _do(self, work: Callable[[Connection], T], given_up: Event) -> T:
        with self._engine.begin() as connection:
            if given_up.is_set():  # while another process held the file
                raise asyncio.CancelledError
            done = work(connection)
            self._before_commit()
            return done


def _switch_to_wal(connection: Any) -> None:
    """Switch a new file to WAL; of several that do so at once SQLite refuses all but one."""
    for _ in range(_WAL_TRIES):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in _OTHERS_AT_IT:  # a full disk, say
                raise
            time.sleep(_WAL_PAUSE)
        else:
            return
    connection.execute("PRAGMA journal_mode = WAL")
