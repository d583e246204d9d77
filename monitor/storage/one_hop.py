"""A SQLite connection in a thread of its own that is asked once for each statement."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Self

import aiosqlite


def connect(*arguments: Any, **options: Any) -> "OneHopConnection":
    """Return a connection to be awaited; takes what sqlite3.connect does."""
    connection = OneHopConnection(lambda: sqlite3.connect(*arguments, **options), 64)
    connection._thread.daemon = True  # as SQLAlchemy has it: none keeps a process from its end
    return connection


class OneHopConnection(aiosqlite.Connection):
    """Make cursors that cost one change of threads for a statement, where aiosqlite's cost four.

    Each change costs tens of microseconds, and milliseconds while the event loop is busy: the
    interpreter lets one thread run at a time.
    """

    def cursor(self) -> "OneHopCursor":  # type: ignore[override] # SQLAlchemy needs no more of it
        """Return a cursor; nothing is asked of the database yet."""
        return OneHopCursor(self)

    async def rollback(self) -> None:
        """Roll back what is open; mostly, when a connection goes back to its pool, nothing is."""
        if self.in_transaction:
            await super().rollback()

    async def ask(self, work: Any, *arguments: Any) -> Any:
        """Do some work on the raw connection, in its thread."""
        return await self._execute(work, self._conn, *arguments)  # type: ignore[no-untyped-call]


class OneHopCursor:
    """Run one statement and hold all its rows; what SQLAlchemy asks of a cursor, and no more."""

    def __init__(self, connection: OneHopConnection) -> None:
        self._connection = connection
        self._rows: list[Any] = []
        self.description: Sequence[Any] | None = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1

    async def __aenter__(self) -> Self:
        """Return itself: there is nothing to open."""
        return self

    async def execute(self, statement: str, parameters: Iterable[Any] = ()) -> None:
        """Run a statement."""
        await self._connection.ask(self._run, statement, parameters)

    async def executemany(self, statement: str, parameters: Iterable[Sequence[Any]]) -> None:
        """Run a statement for each set of parameters."""
        await self._connection.ask(self._run_many, statement, parameters)

    async def fetchall(self) -> list[Any]:
        """Return the rows; the second time there are none left."""
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        """Forget the rows; the statement ended when it was run."""
        self._rows = []

    def _run(self, raw: sqlite3.Connection, statement: str, parameters: Iterable[Any]) -> None:
        self._take(raw.execute(statement, tuple(parameters)))

    def _run_many(
        self, raw: sqlite3.Connection, statement: str, parameters: Iterable[Sequence[Any]]
    ) -> None:
        self._take(raw.executemany(statement, parameters))

    def _take(self, cursor: sqlite3.Cursor) -> None:
        self.description, self.lastrowid = cursor.description, cursor.lastrowid
        if self.description is not None:
            self._rows = cursor.fetchall()
        self.rowcount = cursor.rowcount
        cursor.close()
