"""The command `monitor redeliver`: its options and its help."""

from typing import Annotated

import typer

from monitor.cli.options import ConfigPath, Since, Work, state_option


def command(
    ids: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ID…]", help="Ids of deliveries, or of events: then all deliveries of each."
        ),
    ] = None,
    receiver: Annotated[
        str | None,
        typer.Option("--receiver", "-r", metavar="R", help="Instead of ids: all to this receiver."),
    ] = None,
    since: Since = None,
    state: Annotated[
        str | None, state_option("With --receiver: only those in this state [default: dead].")
    ] = None,
    config: ConfigPath = None,
) -> Work:
    """Send deliveries again: the same event, the same id, a fresh schedule.

    A running daemon sends them within 2 s; otherwise the next one does. Pending ones that wait
    for their next try are due at once.

    \b
      monitor redeliver 4711
      monitor redeliver --receiver crm --since 2h --state dead
    """
    from monitor.cli.redelivery import redeliver

    return redeliver(config, ids or [], receiver=receiver, since=since, state=state)
