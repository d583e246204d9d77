"""Back-up and restore of the database: `monitor backup`, `monitor restore`."""

import shlex
from pathlib import Path

import typer

from monitor.app import open_database
from monitor.cli.screen import write_short_time
from monitor.config.load import load
from monitor.core.errors import StorageError
from monitor.net.redact import printable
from monitor.storage.backup import copy as backup
from monitor.storage.backup.copy import Contents

_CLEAN = ("--clean", "--if-exists")
_UNITS = ("bytes", "KB", "MB", "GB", "TB")


def back_up(path: Path | None, to: Path, *, force: bool) -> None:
    """Copy the SQLite file while the daemon works; raise StorageError with what Postgres needs."""
    database = open_database(load(path))
    if database.file is None:
        raise StorageError(
            "Postgres makes its own back-ups, daemon or not:\n"
            f"  {shlex.join(('pg_dump', '-Fc', '-f', str(to), database.address))}"
        )
    contents = backup.back_up(database.file, to, force=force)
    typer.echo(f"{printable(str(to))}: {_describe(contents)}")


def restore(path: Path | None, copy: Path) -> None:
    """Put a back-up in the SQLite file's place; raise StorageError with what Postgres needs."""
    database = open_database(load(path))
    if database.file is None:
        raise StorageError(
            "Postgres restores its own back-ups, with all daemons stopped:\n"
            f"  {shlex.join(('pg_restore', *_CLEAN, '-d', database.address, str(copy)))}"
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
