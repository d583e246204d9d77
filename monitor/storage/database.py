"""The database: engines, units of work, and foreign errors given our names."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Dialect, event, exc, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool
from sqlalchemy.util import await_only

from monitor.core.errors import (
    ConfigError,
    DataRefusedError,
    NoDatabaseError,
    NotAdmittedError,
    StorageError,
)
from monitor.storage import one_hop
from monitor.storage.file import check_folder, create_private, is_there
from monitor.storage.postgres import CONNECT_ARGS, bound_session
from monitor.storage.reason import is_not_admitted, kind_of, reason_of

DIALECTS: Final = ("sqlite", "postgresql")
SQLITE_VERSION: Final = (3, 35, 0)
"""The first with RETURNING."""

_SQLITE_PRAGMAS: Final = (
    "PRAGMA busy_timeout = 5000",
    "PRAGMA auto_vacuum = INCREMENTAL",  # before the first table, or it has no effect
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
)
_OTHERS_AT_IT: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)
_WAL_TRIES: Final = 100
_WAL_PAUSE: Final = 0.05
"""In seconds."""
PATIENCE: Final = 15.0
"""Seconds that a unit of work on Postgres gets: a server that is frozen, or behind a network that
drops everything, is not there to keep its own statement_timeout."""
_HURRY: Final = "PRAGMA busy_timeout = 100"
_WHERE: Final = ("host", "port")
"""The options of a URL that say where the database is."""
_TOO_LARGE: Final = 2**63
_DATA_ERRORS: Final = (exc.DataError, exc.IntegrityError, UnicodeError, OverflowError)


class Database:
    """Own the connections of one process: one writer and a few readers on SQLite, a pool else."""

    def __init__(self, url: str) -> None:
        """Take `sqlite:///path` or `postgresql://…`; raise ConfigError for anything else."""
        self._url = _parse(url)
        self.dialect = self._url.drivername.partition("+")[0]
        self._readers: AsyncEngine | None = None
        self._writers: AsyncEngine | None = None
        self._hurried = False

    @property
    def file(self) -> Path | None:
        """Return the SQLite file, or none on Postgres."""
        return Path(self._url.database or "") if self.dialect == "sqlite" else None

    @property
    def place(self) -> str:
        """Name the database without its password, which may stand among the options too."""
        if self.file is not None:
            return str(self.file)
        where = {name: self._url.query[name] for name in _WHERE if name in self._url.query}
        plain = self._url.set(drivername=self.dialect, query=where)
        return plain.render_as_string(hide_password=True)

    @asynccontextmanager
    async def writing(self, *, patient: bool = False) -> AsyncIterator[AsyncConnection]:
        """Open a unit of work: committed as a whole at the end, or rolled back.

        On Postgres it ends within 25 s, however that fares, unless `patient`: psycopg takes up to
        10 s to cancel what was begun.
        Raises DataRefusedError when the values are at fault and StorageError for the rest; a
        connection lost during the commit leaves the outcome unknown.
        """
        if self._writers is None:
            self._writers = self._engine(writer=True)
        with _named_errors(self.place):
            async with self._limit(patient=patient), self._writers.begin() as connection:
                yield connection

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Open a consistent view; raises NoDatabaseError while there is no file yet."""
        if self.file is not None and not is_there(self.file):
            check_folder(self.file)
            raise NoDatabaseError(
                f"no database at {self.file} yet: `monitor run`, `migrate` or `add` makes one"
            )
        if self._readers is None:
            self._readers = self._engine(writer=False)
        with _named_errors(self.place):
            async with self._limit(), self._readers.begin() as connection:
                yield connection

    async def connect_alone(self) -> AsyncConnection:
        """Open a Postgres connection apart from all others, for what must live as long as it."""
        engine = create_async_engine(
            self._url,
            hide_parameters=True,
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            connect_args=CONNECT_ARGS,
        )
        with _named_errors(self.place):
            async with self._limit():
                return await engine.connect()

    async def ask_alone(self, connection: AsyncConnection, statement: Any, **values: Any) -> Any:
        """Return one value by a connection of `connect_alone`."""
        with _named_errors(self.place):
            async with self._limit():
                return (await connection.execute(statement, values)).scalar_one()

    async def now(self) -> datetime:
        """Return the database's clock on Postgres, the system's on SQLite."""
        if self.dialect == "sqlite":
            return datetime.now(UTC)
        async with self.reading() as connection:
            result = await connection.execute(text("SELECT clock_timestamp()"))
            found: datetime = result.scalar_one()
            return found.astimezone(UTC)

    def hurry(self) -> None:
        """Wait no longer for a SQLite file that somebody else holds: the process is to end."""
        self._hurried = True

    async def close(self) -> None:
        """Close all connections."""
        for engine in (self._readers, self._writers):
            if engine is not None:
                await engine.dispose()
        self._readers = self._writers = None

    def _limit(self, *, patient: bool = False) -> asyncio.Timeout:
        """Bound a unit of work; on SQLite busy_timeout does, and its thread heeds no other."""
        return asyncio.timeout(None if patient or self.file is not None else PATIENCE)

    def _engine(self, *, writer: bool) -> AsyncEngine:
        if self.file is None:
            engine = create_async_engine(
                self._url,
                hide_parameters=True,
                pool_size=3,
                max_overflow=2,
                pool_timeout=10,
                connect_args=CONNECT_ARGS,
            )
            event.listen(engine.sync_engine, "connect", bound_session)
            return engine
        create_private(self.file)
        engine = create_async_engine(
            self._url,
            hide_parameters=True,
            pool_size=1 if writer else 2,
            max_overflow=0,
            pool_timeout=30,
        )

        def connect(connection: Any, _record: ConnectionPoolEntry) -> None:
            pragmas = (_HURRY, *_SQLITE_PRAGMAS[1:]) if self._hurried else _SQLITE_PRAGMAS
            _prepare_sqlite(connection, pragmas)

        def begin(connection: Connection) -> None:
            if self._hurried:
                connection.exec_driver_sql(_HURRY)
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")

        event.listen(engine.sync_engine, "do_connect", _connect_by_one_hop)
        event.listen(engine.sync_engine, "connect", connect)
        event.listen(engine.sync_engine, "begin", begin)
        return engine


def rows_of(dialect: str, columns: Mapping[str, str]) -> str:
    """Return the FROM clause that spreads the JSON parameter `:rows` into a table `r`.

    `columns` maps names to Postgres types; SQLite takes the types that the JSON has.
    """
    if dialect == "sqlite":
        fields = ", ".join(f"json_extract(value, '$.{name}') AS {name}" for name in columns)
        return f"(SELECT {fields} FROM json_each(:rows)) AS r"  # noqa: S608 (names are ours)
    fields = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    return f"jsonb_to_recordset(CAST(:rows AS jsonb)) AS r({fields})"


def encode_rows(rows: Iterable[Mapping[str, Any]]) -> str:
    """Encode the parameter `:rows`; raise DataRefusedError for what a column would not give back.

    Postgres refuses such values itself. SQLite's JSON makes floats of integers over 64 bits, cuts
    texts at a NUL and stores lone surrogates as bytes that nobody can read again.
    """
    rows = list(rows)
    for row in rows:
        for name, value in row.items():
            if isinstance(value, int) and not -_TOO_LARGE <= value < _TOO_LARGE:
                raise DataRefusedError(f"the database refuses a value: {name} exceeds 64 bits")
            if isinstance(value, str) and "\0" in value:
                raise DataRefusedError(f"the database refuses a value: {name} holds a NUL")
    encoded = json.dumps(rows, ensure_ascii=False)
    try:
        encoded.encode()
    except UnicodeEncodeError:
        reason = "the database refuses a value: a text holds a lone surrogate"
        raise DataRefusedError(reason) from None
    return encoded


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except exc.ArgumentError:
        parsed = URL.create("unknown")
    backend = parsed.drivername.partition("+")[0]
    if backend == "sqlite" and sqlite3.sqlite_version_info < SQLITE_VERSION:
        raise ConfigError([f"SQLite 3.35 or newer is needed, this is {sqlite3.sqlite_version}"])
    if backend == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return parsed.set(drivername="sqlite+aiosqlite")
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    raise ConfigError(
        ["database.url must be sqlite:///path/to/file.db or postgresql://user@host/name"]
    )


def _connect_by_one_hop(
    _dialect: Dialect, _record: ConnectionPoolEntry, _arguments: Any, options: dict[str, Any]
) -> None:
    options["async_creator_fn"] = one_hop.connect


def _prepare_sqlite(connection: Any, pragmas: Iterable[str]) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself: we do
    cursor = connection.cursor()
    for pragma in pragmas:
        cursor.execute(pragma)
    _switch_to_wal(cursor)
    cursor.close()


def _switch_to_wal(cursor: Any) -> None:
    """Switch a new file to WAL; of several that do so at once SQLite refuses all but one."""
    for _ in range(_WAL_TRIES):
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in _OTHERS_AT_IT:  # a full disk, say
                raise
            await_only(asyncio.sleep(_WAL_PAUSE))
        else:
            return
    cursor.execute("PRAGMA journal_mode = WAL")


@contextmanager
def _named_errors(place: str) -> Iterator[None]:
    try:
        yield
    except _DATA_ERRORS as error:
        raise DataRefusedError(f"the database {place} refuses a value: {kind_of(error)}") from error
    except TimeoutError as error:
        raise StorageError(f"the database {place} has not answered for {PATIENCE:.0f} s") from error
    except (exc.SQLAlchemyError, OSError, sqlite3.Error) as error:
        refused = NotAdmittedError if is_not_admitted(error) else StorageError
        raise refused(f"the database {place} failed: {reason_of(error)}") from error
