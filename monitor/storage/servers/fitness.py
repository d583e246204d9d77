"""Whether a Postgres can carry us: asked before the schema is touched, refused with what to do."""

from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, text

from monitor.core.errors import DatabaseUnfitError
from monitor.storage.database import Database, fetch

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

_ENCODINGS: Final = frozenset({"UTF8", "SQL_ASCII"})
"""What keeps every name; the second keeps bytes, and we give it UTF-8."""
# of the database, and of this session
_ENCODED: Final = text(
    "SELECT current_setting('server_encoding'), current_setting('client_encoding')"
)


async def check_server(database: Database) -> None:
    """Raise DatabaseUnfitError for a server, or what stands before it, that loses what we say."""
    encoding, spoken = (await fetch(database, _ENCODED))[0]
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
    async with (
        aclosing(await database.connect_alone()) as first,
        aclosing(await database.connect_alone()) as second,
    ):
        pooled = await _share_servers(database, first, second)
    if pooled:
        raise DatabaseUnfitError(
            f"{database.place} is a pool that gives each transaction another server, as PgBouncer"
            " in transaction mode does: limits, locks and prepared statements are lost there."
            " Give the server's own address in database.url, or a pool with pool_mode = session"
        )


# who we are, where our tables would come to lie, and whether we may make them there
_MAY_CREATE: Final = text(
    "SELECT quote_ident(current_user), quote_ident(current_database()),"
    " quote_ident(current_schema()), current_setting('search_path'),"
    " coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)"
)


def check_tables_may_be_made(connection: Connection) -> None:
    """Raise DatabaseUnfitError unless our user may make tables where they would come to lie."""
    user, database, schema, path, may = connection.execute(_MAY_CREATE).one()
    if schema is None:
        raise DatabaseUnfitError(
            f"none of the schemas of the search_path ({path}) is there in the database {database}:"
            " make one by CREATE SCHEMA, or name another in database.url"
        )
    if not may:
        raise DatabaseUnfitError(
            f"the user {user} may make no tables in the database {database}: as its owner,"
            f" GRANT USAGE, CREATE ON SCHEMA {schema} TO {user};"
        )


# which of the server's processes a session meets
_PROCESS: Final = text("SELECT pg_backend_pid()")


async def _share_servers(
    database: Database, first: "AsyncConnection", second: "AsyncConnection"
) -> bool:
    """Return whether two sessions meet the same server process, or one of them meets several.

    Without a pool each has one of its own for as long as it lasts. They take no turns: a pool that
    lends two servers in turn would then lend each of them the same again and again.
    """
    met: dict[AsyncConnection, set[int]] = {first: set(), second: set()}
    for connection in (first, second, second, first, first, second):
        met[connection].add(await database.ask_alone(connection, _PROCESS))
    return bool(met[first] & met[second]) or any(len(processes) > 1 for processes in met.values())
