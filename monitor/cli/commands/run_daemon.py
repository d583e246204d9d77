"""The launch of the daemon, and of its migrations: `monitor run`, `monitor migrate`."""

import asyncio
from pathlib import Path

import structlog
import typer

from monitor import descriptors
from monitor.app import open_database
from monitor.cli.session import run as run_work
from monitor.config.load import load
from monitor.config.schema import Config
from monitor.config.warnings import require_secrets, warnings_at_work
from monitor.daemon import process
from monitor.logs import set_up_logs
from monitor.net.redact import printable
from monitor.storage.schema.version import migrate as migrate_database
from monitor.storage.servers.lock import hold_file

try:
    import uvloop
except ImportError:  # there is none for this Python
    _run_loop = asyncio.run
else:
    _run_loop = uvloop.run


def migrate(path: Path | None) -> None:
    """Bring the database to the newest schema; raises DatabaseLockedError beside a daemon."""
    run_work(_migrate(load(path)))


async def _migrate(config: Config) -> None:
    database = open_database(config)
    try:
        with hold_file(database.file, shared=True):
            found, newest = await migrate_database(database)
    finally:
        await database.close()
    place = printable(database.place)
    if found is None:
        typer.echo(f"{place}: made, with schema {newest}")
    elif found == newest:
        typer.echo(f"{place}: schema {newest} is the newest already")
    else:
        typer.echo(f"{place}: schema {found} -> {newest}")


def run(path: Path | None) -> None:
    """Run the daemon; raises MonitorError when it cannot start."""
    config = load(path)
    require_secrets(config)
    set_up_logs(
        level=config.monitor.log_level,
        log_format=config.monitor.log_format,
        instance=config.monitor.instance,
    )
    log = structlog.stdlib.get_logger()
    descriptors.raise_limit()
    for warning in warnings_at_work(config):
        log.warning("config.doubtful", reason=warning)
    _run_loop(_serve(config))


async def _serve(config: Config) -> None:
    await process.run(config)
    process.leave()
