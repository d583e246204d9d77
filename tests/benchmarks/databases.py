"""The databases to measure on: SQLite files on the disk, and a Postgres with its own defaults."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import psycopg

from tests.benchmarks.spent import cpu_seconds_of_family, parent
from tests.postgres import Postgres, run_postgres


class Databases(Protocol):
    """Make databases of one kind; tell what their server has spent, if there is one."""

    def create(self, name: str) -> str:
        """Make an empty database; return its URL."""
        ...

    def tidy(self, url: str) -> None:
        """Do at once what the server would do some time after a database was filled."""
        ...

    def cpu(self) -> float | None:
        """Return the CPU seconds of the server so far."""
        ...


class SqliteFiles:
    """Make SQLite files; their work is the daemon's own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def create(self, name: str) -> str:
        """Name a file that does not exist yet."""
        return f"sqlite:///{self._folder}/{name}.db"

    def tidy(self, url: str) -> None:
        """Do nothing: no server."""

    def cpu(self) -> float | None:
        """Return none: no server."""
        return None


class PostgresServer:
    """Make databases on one server, and read what all its processes have spent."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres
        self._pid: int | None = None

    def create(self, name: str) -> str:
        """Make a database."""
        url = self._postgres.create()
        if self._pid is None and "MONITOR_TEST_POSTGRES_URL" not in os.environ:  # else elsewhere
            with psycopg.connect(url) as connection:
                self._pid = parent(connection.info.backend_pid)
        return url

    def tidy(self, url: str) -> None:
        """Clean up and count, or autovacuum would amid a measurement."""
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")

    def cpu(self) -> float | None:
        """Return what the server and its backends have spent, where it runs here."""
        return None if self._pid is None else cpu_seconds_of_family(self._pid)


@contextmanager
def open_databases(kind: str, folder: Path) -> Iterator[Databases]:
    """Yield `sqlite` or `postgresql`."""
    if kind == "sqlite":
        yield SqliteFiles(folder)
        return
    with run_postgres(durable=True) as postgres:
        yield PostgresServer(postgres)
