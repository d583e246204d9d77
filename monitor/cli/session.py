"""A command's session: the config, and the database open for as long as it runs."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import typer

from monitor.config.schema import Config, database_url
from monitor.core import matcher_text
from monitor.core.errors import MonitorError, UnknownNameError
from monitor.core.matching import Matcher
from monitor.facts.batch_id import LONGEST_SHOWN, whole_id
from monitor.facts.daemon_seen import missing_daemon
from monitor.facts.names import check_known
from monitor.net.redact import printable
from monitor.storage.database import Database
from monitor.storage.receivers import known_receivers
from monitor.storage.schema.version import check_schema, migrate_if_missing


@asynccontextmanager
async def reading(config: Config) -> AsyncIterator[Database]:
    """Open the database to read; raise NoDatabaseError or SchemaError unless it is ours."""
    async with opened(config) as database:
        await check_schema(database)
        yield database


@asynccontextmanager
async def writing(config: Config) -> AsyncIterator[Database]:
    """Open the database to write, making it if it is missing; raise SchemaError."""
    async with opened(config) as database:
        await migrate_if_missing(database)
        yield database


@asynccontextmanager
async def opened(config: Config) -> AsyncIterator[Database]:
    """Open the database, whatever there is of it."""
    database = Database(database_url(config))
    try:
        yield database
    finally:
        await database.close()


def parse_matchers(texts: Iterable[str]) -> list[Matcher]:
    """Read a command's matchers; a mistake in one is wrong usage."""
    try:
        return [matcher for text in texts for matcher in matcher_text.parse_matchers(text)]
    except ValueError as error:
        raise typer.BadParameter(printable(str(error)), param_hint="MATCHER") from None


async def known_id(config: Config, source: str, given: str) -> str:
    """Return the id that a text begins, if the database knows one; else the text itself.

    Raises UnknownNameError when it begins several. There need be no database.
    """
    if len(given) > LONGEST_SHOWN:
        return given
    try:
        async with reading(config) as database:
            return await whole_id(database, source, given)
    except UnknownNameError:
        raise
    except MonitorError:
        return given


async def time_ago(database: Database, span: timedelta | None) -> datetime | None:
    """Return when a span of time began that ends now; none without one."""
    return None if span is None else await database.now() - span


async def check_receiver(database: Database, config: Config, receiver: str | None) -> None:
    """Raise UnknownNameError for a receiver that neither the config nor the database knows."""
    if receiver is not None and receiver not in await known_receivers(database):
        check_known("receiver", receiver, config.receivers)


async def warn_of_missing_daemon(database: Database) -> None:
    """Print on standard error that no daemon is alive, if so."""
    if trouble := await missing_daemon(database):
        typer.echo(trouble, err=True)
