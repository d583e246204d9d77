"""The database: units of work on SQLite or Postgres, and foreign errors given our names."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, TypeAlias, TypeVar, cast

from sqlalchemy import Connection, exc, text
from sqlalchemy.engine import URL, make_url

from monitor.core.errors import ConfigError, DataRefusedError, NotAdmittedError, StorageError
from monitor.storage.servers.postgres import ANSWER_TIMEOUT, PostgresServer
from monitor.storage.servers.reason import is_not_admitted, kind_of, reason_of
from monitor.storage.servers.sqlite import SqliteFile
from monitor.storage.sql import PAGE

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

_WHERE: Final = ("host", "port")
"""The options of a URL that say where the database is."""
_DATA_ERRORS: Final = (exc.DataError, exc.IntegrityError, UnicodeError, OverflowError)

# the time at this moment, not at the transaction's beginning
_CLOCK: Final = text("SELECT clock_timestamp() AS now")
P = ParamSpec("P")
T = TypeVar("T")
Work: TypeAlias = Callable[Concatenate[Connection, P], T]
"""A unit of work."""


class Database:
    """The connections of one process, by which its units of work are run.

    A unit of work is a plain function of a connection: what it does is committed as a whole when it
    returns, or rolled back when it raises. On SQLite it runs in another thread, so it must be given
    nothing that the event loop may change meanwhile.
    """

    def __init__(self, url: str) -> None:
        """Take `sqlite:///path` or `postgresql://…`; raise ConfigError for anything else."""
        self._url = _parse(url)
        self.dialect = self._url.get_backend_name()
        kind = SqliteFile if self.dialect == "sqlite" else PostgresServer
        self._server: SqliteFile | PostgresServer = kind(self._url)

    @property
    def file(self) -> Path | None:
        """Return the SQLite file, or none on Postgres."""
        return self._server.path if isinstance(self._server, SqliteFile) else None

    @property
    def place(self) -> str:
        """Name the database without its password, which may stand among the options too."""
        if self.file is not None:
            return str(self.file)
        where = {name: self._url.query[name] for name in _WHERE if name in self._url.query}
        plain = self._url.set(drivername=self.dialect, query=where)
        return plain.render_as_string(hide_password=True)

    @property
    def address(self) -> str:
        """Return a Postgres' whole URL, for its own programs, without any password."""
        query = {name: at for name, at in self._url.query.items() if "password" not in name}
        plain = URL.create(
            self.dialect,
            username=self._url.username,
            host=self._url.host,
            port=self._url.port,
            database=self._url.database,
            query=query,
        )
        return plain.render_as_string(hide_password=False)

    async def write(self, work: Work[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Run a unit of work that writes.

        Raises DataRefusedError when the values are at fault and StorageError for the rest; a
        connection lost during the commit leaves the outcome unknown.
        """
        return await self._run(work, arguments, named, writes=True)

    async def write_patiently(self, work: Work[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Run a unit of work that writes, and may take as long as it wants on Postgres, too."""
        return await self._run(work, arguments, named, writes=True, patient=True)

    async def read(self, work: Work[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Run a unit of work that reads; raise NoDatabaseError while there is no file yet."""
        return await self._run(work, arguments, named, writes=False)

    async def connect_alone(self) -> "AsyncConnection":
        """Open a Postgres connection apart from all others, for what must live as long as it."""
        with _named_errors(self.place):
            return await cast("PostgresServer", self._server).connect_alone()

    async def ask_alone(self, connection: "AsyncConnection", statement: Any, **values: Any) -> Any:
        """Return one value by a connection of `connect_alone`."""
        with _named_errors(self.place):
            async with asyncio.timeout(ANSWER_TIMEOUT):
                return (await connection.execute(statement, values)).scalar_one()

    async def now(self) -> datetime:
        """Return the database's clock on Postgres, the system's on SQLite."""
        if self.dialect == "sqlite":
            return datetime.now(UTC)
        found: datetime = (await fetch(self, _CLOCK))[0].now
        return found.astimezone(UTC)

    def hurry(self) -> None:
        """Wait no longer for a SQLite file that somebody else holds: the process is to end."""
        if isinstance(self._server, SqliteFile):
            self._server.hurry()

    async def close(self) -> None:
        await self._server.close()

    async def _run(
        self,
        work: Callable[..., T],
        arguments: tuple[Any, ...],
        named: dict[str, Any],
        *,
        writes: bool,
        patient: bool = False,
    ) -> T:
        def unit(connection: Connection) -> T:
            return work(connection, *arguments, **named)

        with _named_errors(self.place):
            return await self._server.run(unit, writes=writes, patient=patient)


Unit: TypeAlias = Callable[Concatenate[Database, P], Coroutine[Any, Any, T]]
"""The same, to be called with the database."""


def writing(work: Work[P, T]) -> Unit[P, T]:
    """Make a unit of work that writes callable with the database; see Database.write."""

    @wraps(work)
    async def unit(database: Database, /, *arguments: P.args, **named: P.kwargs) -> T:
        return await database.write(work, *arguments, **named)

    return unit


def reading(work: Work[P, T]) -> Unit[P, T]:
    """Make a unit of work that reads callable with the database; see Database.read."""

    @wraps(work)
    async def unit(database: Database, /, *arguments: P.args, **named: P.kwargs) -> T:
        return await database.read(work, *arguments, **named)

    return unit


@reading
def fetch(
    connection: Connection, statement: Any, values: Mapping[str, Any] | None = None
) -> Sequence[Any]:
    """Return the rows of one statement."""
    return connection.execute(statement, values).all()


async def pages(
    database: Database, statement: Any, place: Callable[[Any], Mapping[str, Any]], **values: Any
) -> AsyncIterator[Sequence[Any]]:
    """Yield the rows of a statement by pages: the next one begins at the `place` of the last row.

    Each page is a unit of work of its own, so no reader keeps the database's log from shrinking.
    """
    while True:
        rows = await fetch(database, statement, {**values, "limit": PAGE})
        if rows:
            yield rows
        if len(rows) < PAGE:
            return
        values |= place(rows[-1])


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except exc.ArgumentError:
        parsed = URL.create("unknown")
    backend = parsed.get_backend_name()
    if backend == "postgresql" or (
        backend == "sqlite" and parsed.database not in (None, "", ":memory:")
    ):
        return parsed
    raise ConfigError(
        ["database.url must be sqlite:///path/to/file.db or postgresql://user@host/name"]
    )


@contextmanager
def _named_errors(place: str) -> Iterator[None]:
    try:
        yield
    except _DATA_ERRORS as error:
        raise DataRefusedError(f"the database {place} refuses a value: {kind_of(error)}") from error
    except TimeoutError as error:
        raise StorageError(
            f"the database {place} has not answered for {ANSWER_TIMEOUT:.0f} s"
        ) from error
    except (exc.SQLAlchemyError, OSError, sqlite3.Error) as error:
        refused = NotAdmittedError if is_not_admitted(error) else StorageError
        raise refused(f"the database {place} failed: {reason_of(error)}") from error
