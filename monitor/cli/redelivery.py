"""Redelivery: deliveries that are owed once more."""

from collections.abc import Sequence
from datetime import timedelta

import typer

from monitor.cli.session import check_receiver, time_ago, warn_of_missing_daemon, writing
from monitor.config.schema import Config
from monitor.core.errors import UnknownNameError
from monitor.facts.delivery import parse_row
from monitor.facts.event_id import whole_id
from monitor.net.redact import printable
from monitor.storage.database import Database
from monitor.storage.deliveries.redeliver import (
    Candidate,
    find_deliveries,
    find_of_receiver,
    redeliver,
)


async def redeliver_named(config: Config, ids: Sequence[str]) -> None:
    """Owe deliveries once more, by their ids or their events'; raise UnknownNameError."""
    rows = {row: text for text in ids if (row := parse_row(text))}
    names = [text for text in dict.fromkeys(ids) if not parse_row(text)]
    async with writing(config) as database:
        events = {name: whole for name in names if (whole := await whole_id(database, name))}
        found = await find_deliveries(database, rows=list(rows), events=list(events.values()))
        await _owe(database, config, found)
    known = {candidate.row for candidate in found}
    missing = [text for row, text in rows.items() if row not in known]
    found_events = {candidate.event_id for candidate in found}
    missing += [name for name in names if events.get(name) not in found_events]
    if missing:
        named = ", ".join(repr(text) for text in missing)
        raise UnknownNameError(
            f"no delivery or event with deliveries is called {named}:"
            " `monitor deliveries` shows those there are"
        )


async def redeliver_receiver(
    config: Config, receiver: str, *, since: timedelta | None, wanted: str
) -> None:
    """Owe a receiver's deliveries in a state once more, those of a time that ends now."""
    async with writing(config) as database:
        await check_receiver(database, config, receiver)
        start = await time_ago(database, since)
        found = await find_of_receiver(database, receiver, state=wanted, since=start)
        if found:
            await _owe(database, config, found)
        else:
            typer.echo(f"{receiver} has no {wanted} deliveries of that time: nothing to do")


async def _owe(database: Database, config: Config, found: Sequence[Candidate]) -> None:
    """Owe what is not due already, and print what became of each kind."""
    owed = await redeliver(database, found, now=await database.now())
    left = [candidate for candidate in found if candidate.row not in owed]
    if owed:
        typer.echo(f"{_count(len(owed))} owed again; a running daemon sends within 2 s")
    if left:
        numbers = ", ".join(str(candidate.row) for candidate in left[:10])
        more = f" and {len(left) - 10} more" if len(left) > 10 else ""
        typer.echo(f"{_count(len(left))} pending and due already, left alone: {numbers}{more}")
    if found:
        await warn_of_missing_daemon(database)
    gone = {candidate.receiver for candidate in found if candidate.row in owed}
    for receiver in sorted(gone - set(config.receivers)):
        typer.echo(
            f"warning: the config has no receiver {printable(receiver)}; they wait for it",
            err=True,
        )


def _count(number: int) -> str:
    return "1 delivery is" if number == 1 else f"{number:,} deliveries are"
