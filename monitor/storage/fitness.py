"""Whether a Postgres can carry us: asked before the schema is touched, refused with what to do."""

from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, text

from monitor.core.errors import DatabaseUnfitError
from monitor.storage.database import Database

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

_ENCODINGS: Final = frozenset({"UTF8", "SQL_ASCII"})
"""What keeps every name; the second keeps bytes, and we give it UTF-8."""
_LOOKS: Final = 3


async def check_server(database: Database) -> None:
    """Raise DatabaseUnfitError for a server, or what stands before it, that loses what we say."""
    encoding, spoken = await database.read(_encodings)
    if spoken != "UTF8":
        raise DatabaseUnfitError(
            f"the client_encoding is {spoken}, which does not hold every name: leave it out of"
            " database.url"
        )
    if encoding not in _ENCODINGS:
        raise DatabaseUnfitError(
            f"the database {database.place} is encoded in {encoding}, which does not hold every"
            " name: make one in UTF-8 (createdb --encoding UTF8 --template template0 NAME)"
        )
    first = await database.connect_alone()
    try:
        second = await database.connect_alone()
        try:
            pooled = await _share_servers(database, first, second)
        finally:
            await second.close()
    finally:
        await first.close()
    if pooled:
        raise DatabaseUnfitError(
            f"{database.place} is a pool that gives each transaction another server, as PgBouncer"
            " in transaction mode does: limits, locks and prepared statements are lost there."
            " Give the server's own address in database.url, or a pool with pool_mode = session"
        )


def check_tables_may_be_made(connection: Connection) -> None:
    """Raise DatabaseUnfitError unless our user may make tables where they would come to lie."""
    user, database, schema, may = connection.execute(_MAY_CREATE).one()
    if not may:
        raise DatabaseUnfitError(
            f"the user {user} may make no tables in the database {database}: as its owner,"
            f' GRANT USAGE, CREATE ON SCHEMA {schema or "public"} TO "{user}";'
        )


async def _share_servers(
    database: Database, first: "AsyncConnection", second: "AsyncConnection"
) -> bool:
    """Tell whether two sessions meet one server process, or one meets several: all day each has
    one of its own, but for what pools transactions."""
    served: tuple[set[int], set[int]] = (set(), set())
    for _ in range(_LOOKS):
        for processes, connection in zip(served, (first, second), strict=True):
            processes.add(await database.ask_alone(connection, _PROCESS))
    return bool(served[0] & served[1]) or any(len(processes) > 1 for processes in served)


def _encodings(connection: Connection) -> tuple[str, str]:
    """Return the database's, and that of this session."""
    server, client = connection.execute(_ENCODED).one()
    return server, client


_ENCODED: Final = text(
    "SELECT current_setting('server_encoding'), current_setting('client_encoding')"
)
_PROCESS: Final = text("SELECT pg_backend_pid()")
_MAY_CREATE: Final = text(
    "SELECT current_user, current_database(), current_schema(),"
    " coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)"
)
