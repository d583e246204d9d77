"""The checkup of config files."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import typer

from monitor.cli.session import reading
from monitor.config.load import find, load
from monitor.config.schema import Config, database_url
from monitor.config.warnings import warnings_of
from monitor.core.errors import ConfigError, MonitorError, SecretMissingError
from monitor.facts.delivery import write_debt
from monitor.net.redact import printable
from monitor.net.tls import tls_context
from monitor.storage.database import Database
from monitor.storage.deliveries.debts import debts_of_gone

DATABASE_TIMEOUT: Final = 2.0
"""Seconds: a file is checked wherever it lies, its database may be out of reach from there."""


def check(paths: Sequence[Path]) -> None:
    """Check the files, or the one in force; raise Exit(1) when any has a mistake."""
    good = [_check(path) for path in paths or [find()]]
    if not all(good):
        raise typer.Exit(1)


def _check(path: Path) -> bool:
    shown = printable(str(path))
    try:
        config = load(path)
        _refuse_unusable(config)
    except ConfigError as error:
        typer.echo(f"Checking '{shown}'  FAILED")
        for mistake in error.mistakes:
            typer.echo(f"  {printable(mistake)}")
        return False
    typer.echo(f"Checking '{shown}'  SUCCESS")
    for warning in [*warnings_of(config), *asyncio.run(_debts(config))]:
        typer.echo(f"  warning: {printable(warning)}")
    return True


async def _debts(config: Config) -> list[str]:
    """Write what waits for receivers that left, if there is a database that can be read now."""
    with suppress(MonitorError, TimeoutError):
        async with asyncio.timeout(DATABASE_TIMEOUT), reading(config) as database:
            gone = await debts_of_gone(database, config.receivers)
            return [
                f"{write_debt(name, debt)}; `monitor clear {name} --to OTHER` moves"
                " them, `--drop` gives them up"
                for name, debt in gone.items()
            ]
    return []


def _refuse_unusable(config: Config) -> None:
    """Raise ConfigError for a database URL or CA file that `run` could not use."""
    mistakes = []
    try:
        Database(database_url(config))
    except ConfigError as error:
        mistakes += error.mistakes
    except SecretMissingError:
        pass  # there is a warning of it
    for key, ca_file in _ca_files(config):
        try:
            tls_context(ca_file)
        except ConfigError as error:
            mistakes += [f"{config.path}: {key}: {text}" for text in error.mistakes]
    if mistakes:
        raise ConfigError(mistakes)


def _ca_files(config: Config) -> Iterator[tuple[str, Path]]:
    for kind, tables in {"sources": config.sources, "receivers": config.receivers}.items():
        for name, settings in tables.items():
            if settings.ca_file is not None:
                yield f"{kind}.{name}", settings.ca_file
