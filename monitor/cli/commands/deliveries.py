"""The command `monitor deliveries`: its options and its help."""

from typing import Annotated

import typer

from monitor.cli.options import ConfigPath, Limit, ListOutput, Output, Work, state_option


def command(
    state: Annotated[str | None, state_option("Only those in this state.")] = None,
    receiver: Annotated[
        str | None,
        typer.Option("--receiver", "-r", metavar="R", help="Only those to this receiver."),
    ] = None,
    limit: Limit = None,
    output: ListOutput = Output.TABLE,
    config: ConfigPath = None,
) -> Work:
    """List the deliveries, the newest first.

    A delivery is the debt of one event to one receiver: pending, delivered or dead (given up;
    see `monitor redeliver`).
    """
    from monitor.cli.list_deliveries import list_

    return list_(config, state=state, receiver=receiver, limit=limit, output=output)
