"""The schema's version: migrating to it, and refusing any other."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, inspect, text

from monitor.core.errors import NoDatabaseError, SchemaError
from monitor.storage.database import Database
from monitor.storage.servers.fitness import check_server, check_tables_may_be_made
from monitor.storage.servers.postgres import lift_limits

if TYPE_CHECKING:  # it takes a while to load, and mostly there is nothing to migrate
    from alembic.config import Config

NEWEST: Final = "0004"
"""The version that this program needs."""

VERSION_TABLE: Final = "monitor_schema_version"
"""A name of our own: others that use Alembic in the same schema have an `alembic_version`."""

_FORMER_TABLE: Final = "alembic_version"
"""Ours too, once."""
VERSION_TABLES: Final = (VERSION_TABLE, _FORMER_TABLE)
_FORMER_COMPANY: Final = ("batches", "snapshots", "events", "deliveries", "attempts", "receivers")
"""Stood beside it when it was ours."""
_LOCK: Final = 0x62617463
"""Key of the Postgres advisory lock around migrations."""


def _folder() -> Path:
    """Find the migrations: inside the package in a wheel, beside it in a checkout."""
    package = Path(__file__).parents[2]
    inside = package / "migrations"
    return inside if inside.is_dir() else package.parent / "migrations"


def _config() -> "Config":
    from alembic.config import Config

    from monitor.storage.schema.tables import metadata

    config = Config()
    config.set_main_option("script_location", str(_folder()).replace("%", "%%"))
    config.attributes["metadata"] = metadata
    config.attributes["version_table"] = VERSION_TABLE
    return config


async def migrate(database: Database) -> tuple[str | None, str]:
    """Bring the database to the newest schema, making it if need be; return (found, newest).

    Safe when several run at once: Postgres by an advisory lock, SQLite because the whole
    migration is one immediate transaction. Raises SchemaError for a newer schema than ours, and
    DatabaseUnfitError for a Postgres that cannot carry it.
    """
    if database.file is None:
        await check_server(database)
    return await database.write_patiently(_migrate)


def _migrate(connection: Connection) -> tuple[str | None, str]:
    if connection.dialect.name == "postgresql":
        lift_limits(connection)
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    return _upgrade(connection)


def _upgrade(connection: Connection) -> tuple[str | None, str]:
    found, table = _find(connection)
    if found == NEWEST and table == VERSION_TABLE:
        return found, NEWEST
    _refuse_foreign(connection, found)
    if connection.dialect.name == "postgresql":
        check_tables_may_be_made(connection)
    from alembic import command

    config = _config()
    config.attributes["connection"] = connection
    if found is not None and table == _FORMER_TABLE:
        command.stamp(config, found)
        # without it an older program takes the tables for somebody else's, and stops
        connection.execute(text(f"DELETE FROM {_FORMER_TABLE}"))
    command.upgrade(config, "head")
    return found, NEWEST


async def check_schema(database: Database) -> None:
    """Raise NoDatabaseError or SchemaError unless the schema is this program's."""
    found, _ = await database.read(_find)
    if found is None:
        raise NoDatabaseError(
            f"no database at {database.place} yet: `monitor run`, `migrate` or `add` makes one"
        )
    if found != NEWEST:
        if is_known(found):
            raise SchemaError(
                f"the database has schema {found}, this program needs {NEWEST}:"
                " run `monitor migrate`"
            )
        raise too_new("the database", found)


async def migrate_if_missing(database: Database) -> None:
    """Make the schema in an empty database; raise SchemaError where another one stands."""
    try:
        await check_schema(database)
    except NoDatabaseError:
        await migrate(database)


def _find(connection: Connection) -> tuple[str | None, str]:
    """Return the version, if there is one, and the table that it stands in."""
    inspector, table = inspect(connection), VERSION_TABLE
    if not inspector.has_table(VERSION_TABLE):
        if not all(map(inspector.has_table, (_FORMER_TABLE, *_FORMER_COMPANY))):
            return None, VERSION_TABLE
        table = _FORMER_TABLE
    return connection.execute(text(f"SELECT version_num FROM {table}")).scalar(), table


def _refuse_foreign(connection: Connection, found: str | None) -> None:
    if found is not None and not is_known(found):
        raise too_new("the database", found)
    if found is None and inspect(connection).has_table("batches"):
        raise SchemaError("the database holds a table `batches` that is not ours: use another one")


def is_known(version: str) -> bool:
    """Return whether this program can bring a schema to its newest."""
    from alembic.script import ScriptDirectory

    known = ScriptDirectory.from_config(_config()).walk_revisions()
    return any(revision.revision == version for revision in known)


def too_new(what: str, found: str) -> SchemaError:
    """Return the error of a database, or a back-up, that a newer program has made."""
    return SchemaError(
        f"{what} has schema {found}, newer than this program's {NEWEST}: install the newer program"
    )
