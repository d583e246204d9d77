"""The debts to a receiver that left the config: moved to another one, or given up."""

from datetime import timedelta

import typer

from monitor.cli.session import check_receiver, warn_of_missing_daemon, writing
from monitor.config.schema import Config
from monitor.core.errors import UnknownNameError
from monitor.facts.delivery import write_debt
from monitor.facts.names import check_known
from monitor.storage.database import Database
from monitor.storage.deliveries.debts import debts_of_gone, hand_over
from monitor.storage.upkeep import expire_deliveries


async def clear(config: Config, receiver: str, *, to: str | None, yes: bool) -> None:
    """Move what waits for a receiver that is gone, or give it up, once somebody said yes to it."""
    if receiver in config.receivers:
        raise UnknownNameError(
            f"{receiver} is in {config.path}: what waits for it is sent; only a receiver that left"
            " can be cleared"
        )
    if to is not None:
        check_known("receiver", to, config.receivers)
    async with writing(config) as database:
        await check_receiver(database, config, receiver)
        debt = (await debts_of_gone(database, config.receivers)).get(receiver)
        if debt is None:
            typer.echo(f"nothing waits for {receiver}: nothing to do")
            return
        typer.echo(f"{write_debt(receiver, debt)}.")
        if not yes:
            typer.confirm(f"Move them to {to}?" if to else "Give them up for good?", abort=True)
        if to is None:
            await _drop(database, receiver)
        else:
            await _move(database, receiver, to)
        left = (await debts_of_gone(database, config.receivers)).get(receiver)
        if left is not None:
            typer.echo(
                f"{left.deliveries:,} are being sent just now: try again in a minute", err=True
            )


async def _drop(database: Database, receiver: str) -> None:
    dropped, now = 0, await database.now()
    everything = now + timedelta(days=36_500)  # also what a clock owed that was put back since
    while gone := await expire_deliveries(database, receiver, before=everything, now=now):
        dropped += gone
    typer.echo(
        f"{dropped:,} given up; `monitor deliveries --receiver {receiver} --state dead` lists them"
    )


async def _move(database: Database, receiver: str, to: str) -> None:
    done = await hand_over(database, receiver, to=to, now=await database.now())
    typer.echo(f"{done.moved:,} moved to {to}; a running daemon sends them within 2 s")
    if done.doubled:
        typer.echo(f"{done.doubled:,} given up: {to} has, or had, those events itself")
    await warn_of_missing_daemon(database)
