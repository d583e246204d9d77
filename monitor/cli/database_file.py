"""The database as a whole: its schema brought up to date, a back-up made, one put in its place."""

import shlex
from pathlib import Path

import typer

from monitor.cli.session import opened
from monitor.config.schema import Config, database_url
from monitor.core.errors import StorageError
from monitor.facts.times import write_short_time
from monitor.net.redact import printable
from monitor.storage.backup import copy as backup
from monitor.storage.backup.copy import Contents
from monitor.storage.database import Database
from monitor.storage.schema.version import migrate as migrate_database
from monitor.storage.servers.lock import hold_file

_UNITS = ("bytes", "KB", "MB", "GB", "TB")


async def migrate(config: Config) -> None:
    """Bring the database to the newest schema; raise DatabaseLockedError beside a daemon."""
    async with opened(config) as database:
        with hold_file(database.file, shared=True):
            found, newest = await migrate_database(database)
    place = printable(database.place)
    if found is None:
        typer.echo(f"{place}: made, with schema {newest}")
    elif found == newest:
        typer.echo(f"{place}: schema {newest} is the newest already")
    else:
        typer.echo(f"{place}: schema {found} -> {newest}")


def back_up(config: Config, to: Path, *, force: bool) -> None:
    """Copy the SQLite file while the daemon works; raise StorageError with what Postgres needs."""
    database = Database(database_url(config))
    if database.file is None:
        dump = shlex.join(("pg_dump", "-Fc", "-f", str(to), database.address))
        raise StorageError(f"Postgres makes its own back-ups, daemon or not:\n  {dump}")
    contents = backup.back_up(database.file, to, force=force)
    typer.echo(f"{printable(str(to))}: {_describe(contents)}")


def restore(config: Config, copy: Path) -> None:
    """Put a back-up in the SQLite file's place; raise StorageError with what Postgres needs."""
    database = Database(database_url(config))
    if database.file is None:
        put_back = ("pg_restore", "--clean", "--if-exists", "-d", database.address, str(copy))
        raise StorageError(
            "Postgres restores its own back-ups, with all daemons stopped:\n"
            f"  {shlex.join(put_back)}"
        )
    contents, kept = backup.restore(copy, database.file)
    typer.echo(f"{printable(str(database.file))}: {_describe(contents)}")
    if kept is not None:
        typer.echo(f"what stood there is kept as {printable(str(kept))}, until the next restore")


def _describe(contents: Contents) -> str:
    size, unit = float(contents.size), 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    newest = f", the newest of {write_short_time(contents.newest)}" if contents.newest else ""
    events = "1 event" if contents.events == 1 else f"{contents.events:,} events"
    return f"{size:.3g} {_UNITS[unit]}, schema {contents.schema}, {events}{newest}"
