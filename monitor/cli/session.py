"""A command's session: the config, and the database open for as long as it runs."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import typer

from monitor.config.mistakes import suggest
from monitor.config.schema import Config, database_url
from monitor.core import matcher_text
from monitor.core.errors import UnknownNameError
from monitor.core.matching import Matcher
from monitor.net.redact import printable
from monitor.storage.database import Database
from monitor.storage.schema.version import check_schema, migrate_if_missing


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a command's work to its end."""
    asyncio.run(work)


@asynccontextmanager
async def reading(config: Config) -> AsyncIterator[Database]:
    """Open the database to read; raises NoDatabaseError or SchemaError unless it is ours."""
    async with _opened(config, check_schema) as database:
        yield database


@asynccontextmanager
async def writing(config: Config) -> AsyncIterator[Database]:
    """Open the database to write, making it if it is missing; raises SchemaError."""
    async with _opened(config, migrate_if_missing) as database:
        yield database


@asynccontextmanager
async def _opened(
    config: Config, prepare: Callable[[Database], Coroutine[Any, Any, None]]
) -> AsyncIterator[Database]:
    database = Database(database_url(config))
    try:
        await prepare(database)
        yield database
    finally:
        await database.close()


def parse_matchers(texts: Iterable[str]) -> list[Matcher]:
    """Read a command's matchers; a mistake in one is wrong usage."""
    try:
        return [matcher for text in texts for matcher in matcher_text.parse_matchers(text)]
    except ValueError as error:
        raise typer.BadParameter(printable(str(error)), param_hint="MATCHER") from None


async def time_ago(database: Database, span: timedelta | None) -> datetime | None:
    """Return when a span of time began that ends now; none without one."""
    return None if span is None else await database.now() - span


def unknown(kind: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """Make the error for a source or receiver that nobody knows; it names those known."""
    names = sorted(known)
    there_are = f"there are: {', '.join(names)}" if names else f"the config has no {kind}s"
    return UnknownNameError(f"there is no {kind} {name!r}{suggest(name, names)}; {there_are}")
