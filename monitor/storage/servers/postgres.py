"""The Postgres server at work: the limits of a session, and the server that it goes to."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import Connection, event, text
from sqlalchemy.engine import URL
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from monitor.core.errors import ConfigError

if TYPE_CHECKING:  # a tenth of a command's start, for nothing where SQLite is used
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

ANSWER_TIMEOUT: Final = 15.0
"""Seconds that a unit of work gets: a server that is frozen, or behind a network that drops
everything, is not there to keep its own statement_timeout."""
_LIMITS: Final = {
    "statement_timeout": "10s",
    "lock_timeout": "2s",
    # a daemon that is stopped amid a transaction keeps others from its rows for less than any lease
    "idle_in_transaction_session_timeout": "5s",
    # no other limit ends one whose client was stopped while it sent a statement (PostgreSQL 17)
    "transaction_timeout": "10s",
    # a host that died holds its locks no longer than a minute
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}
"""Of a session, in PostgreSQL's own units. They are set once it stands: poolers refuse them before,
and what the URL or PGOPTIONS says of them holds."""
_CONNECT_ARGS: Final = {
    "connect_timeout": 10,
    # after a failover a stale name may still lead to the old server, which has become read-only
    "target_session_attrs": "read-write",
    "client_encoding": "utf8",  # else a database in SQL_ASCII answers bytes
}
"""Where the URL says nothing else."""

T = TypeVar("T")


class PostgresServer:
    """A server, and a few connections for units of work that write, and a few for those that read.

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
        async with (
            asyncio.timeout(None if patient else ANSWER_TIMEOUT),
            engine.begin() as connection,
        ):
            return await connection.run_sync(work)

    async def connect_alone(self) -> "AsyncConnection":
        """Open a connection apart from all others, for what must live as long as it."""
        engine = self._create(poolclass=NullPool, isolation_level="AUTOCOMMIT")
        async with asyncio.timeout(ANSWER_TIMEOUT):
            return await engine.connect()

    async def close(self) -> None:
        engines, self._engines = self._engines, {}
        for engine in engines.values():
            await engine.dispose()

    def _open(self) -> "AsyncEngine":
        # some servers end sessions that were idle for a while
        return self._create(pool_size=3, max_overflow=2, pool_timeout=10, pool_pre_ping=True)

    def _create(self, **options: Any) -> "AsyncEngine":
        from sqlalchemy.ext.asyncio import create_async_engine

        arguments = {k: v for k, v in _CONNECT_ARGS.items() if k not in self._url.query}
        engine = create_async_engine(
            self._url, hide_parameters=True, connect_args=arguments, **options
        )
        event.listen(engine.sync_engine, "connect", _limit_session)
        return engine


def _limit_session(connection: Any, _record: ConnectionPoolEntry) -> None:
    """Set the limits that this server knows, and nobody has set on purpose."""
    values = ", ".join(f"('{name}', '{value}')" for name, value in _LIMITS.items())
    cursor = connection.cursor()
    # one round trip for all; a name that this version does not know joins nothing
    cursor.execute(
        f"SELECT set_config(name, value, false) FROM (VALUES {values}) AS ours (name, value)"
        " JOIN pg_settings USING (name) WHERE source <> 'client'"
    )
    cursor.close()
    connection.commit()


# one limit of this transaction, where the server knows it
_LIFT: Final = text(
    "SELECT set_config(name, :value, true) FROM pg_settings WHERE name = CAST(:name AS text)"
)


def lift_limits(connection: Connection) -> None:
    """Let this transaction take as long as it wants, even one that waits for others like it."""
    for name in ("statement_timeout", "lock_timeout", "transaction_timeout"):
        connection.execute(_LIFT, {"name": name, "value": "0"})
    connection.execute(_LIFT, {"name": "idle_in_transaction_session_timeout", "value": "30s"})
