"""The Postgres server at work: the limits of a session, and the server that it goes to."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import Connection, event
from sqlalchemy.engine import URL
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from monitor.core.errors import ConfigError

if TYPE_CHECKING:  # a tenth of a command's start, for nothing where SQLite is used
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

PATIENCE: Final = 15.0
"""Seconds that a unit of work gets: a server that is frozen, or behind a network that drops
everything, is not there to keep its own statement_timeout."""
_OPTIONS: Final = (
    # a daemon that is stopped amid a transaction keeps others from its rows for less than any lease
    "-c statement_timeout=10s -c lock_timeout=2s -c idle_in_transaction_session_timeout=5s"
    # a host that died holds its locks no longer than a minute
    " -c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"
)
_CONNECT_ARGS: Final = {
    "options": _OPTIONS,
    "connect_timeout": 10,
    # after a failover a stale name may still lead to the old server, which has become read-only
    "target_session_attrs": "read-write",
    "client_encoding": "utf8",  # else a database in SQL_ASCII answers bytes
}

T = TypeVar("T")


class PostgresServer:
    """Run units of work, by a few connections for those that write and a few for those that read.

    A unit ends within 25 s, however it fares: psycopg takes up to 10 s to cancel what was begun.
    """

    def __init__(self, url: URL) -> None:
        """Take `postgresql://…`; raise ConfigError where the driver cannot be imported."""
        try:
            import psycopg  # noqa: F401 (SQLAlchemy would say so later, by a traceback)
        except ImportError as error:  # of itself, or of the C library that it stands on
            raise ConfigError(
                [
                    "database.url: Postgres needs its driver, which cannot be imported here:"
                    " pip install 'batch-monitor[postgres]'"
                ]
            ) from error
        self._url = url.set(drivername="postgresql+psycopg")
        self._engines: dict[bool, AsyncEngine] = {}

    async def run(
        self, work: Callable[[Connection], T], *, writes: bool, patient: bool = False
    ) -> T:
        """Run a unit of work; raise TimeoutError when it takes too long, unless `patient`."""
        engine = self._engines.get(writes)
        if engine is None:
            engine = self._engines[writes] = self._open()
        async with asyncio.timeout(None if patient else PATIENCE), engine.begin() as connection:
            return await connection.run_sync(work)

    async def connect_alone(self) -> "AsyncConnection":
        """Open a connection apart from all others, for what must live as long as it."""
        engine = self._create(poolclass=NullPool, isolation_level="AUTOCOMMIT")
        async with asyncio.timeout(PATIENCE):
            return await engine.connect()

    async def close(self) -> None:
        """Close all connections."""
        engines, self._engines = self._engines, {}
        for engine in engines.values():
            await engine.dispose()

    def _open(self) -> "AsyncEngine":
        engine = self._create(pool_size=3, max_overflow=2, pool_timeout=10)
        event.listen(engine.sync_engine, "connect", _bound_session)
        return engine

    def _create(self, **options: Any) -> "AsyncEngine":
        from sqlalchemy.ext.asyncio import create_async_engine

        return create_async_engine(
            self._url, hide_parameters=True, connect_args=_CONNECT_ARGS, **options
        )


def _bound_session(connection: Any, _record: ConnectionPoolEntry) -> None:
    """Set the limit that not every server knows."""
    cursor = connection.cursor()
    cursor.execute(bound_transactions("10s", local=False))
    cursor.close()
    connection.commit()


def bound_transactions(longest: str, *, local: bool) -> str:
    """Return the statement that bounds whole transactions, from PostgreSQL 17 on.

    No other limit ends one whose client was stopped while it sent a statement.
    """
    return (
        f"SELECT set_config('transaction_timeout', '{longest}', {local})"
        " WHERE current_setting('server_version_num')::int >= 170000"
    )
