"""The checkup of config files."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import typer

from monitor.cli.next_step import command, show_next
from monitor.cli.session import reading
from monitor.config.load import find, load
from monitor.config.schema import Config, database_url
from monitor.config.secrets import missing_secrets
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
    checked = [_check(path) for path in paths or [find()]]
    good = [config for config in checked if config is not None]
    if len(good) < len(checked):
        raise typer.Exit(1)
    if len(good) == 1 and good[0].sources:
        show_next(_next_step(good[0]))


def _check(path: Path) -> Config | None:
    """Check a file; return its config unless it has a mistake."""
    shown = printable(str(path))
    try:
        config = load(path)
        _refuse_unusable(config)
    except ConfigError as error:
        typer.echo(f"Checking '{shown}'  FAILED")
        for mistake in error.mistakes:
            typer.echo(f"  {printable(mistake)}")
        return None
    typer.echo(f"Checking '{shown}'  SUCCESS")
    for warning in [*warnings_of(config), *asyncio.run(_debts(config))]:
        typer.echo(f"  warning: {printable(warning)}")
    return config


def _next_step(config: Config) -> str:
    """Write how to try the first source, whose secrets may be missing yet."""
    source, settings = next(iter(config.sources.items()))
    before = "set what is missing, then " if missing_secrets(config) else ""
    if settings.listing().discover is None:
        return f"{before}{command(f'poll {source} ID --raw', config)} reads a batch"
    return f"{before}{command(f'batches {source}', config)} lists what it has"


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
