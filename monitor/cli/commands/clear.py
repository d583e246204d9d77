"""The command `monitor clear`: its options and its help."""

from typing import Annotated

import typer

from monitor.cli.options import ConfigPath, Work


def command(
    receiver: Annotated[
        str, typer.Argument(metavar="RECEIVER", help="A receiver that left the config.")
    ],
    to: Annotated[
        str | None, typer.Option("--to", metavar="R", help="Move the deliveries to this receiver.")
    ] = None,
    drop: Annotated[bool, typer.Option("--drop", help="Give the deliveries up.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    config: ConfigPath = None,
) -> Work:
    """Clear what waits for a receiver that was renamed or removed.

    Shows how many deliveries wait, and asks. Moved ones keep event and id, and start a fresh
    schedule. Left alone they wait until it returns, or expire after 75 hours.

    \b
      monitor clear crm --to crm-eu
      monitor clear crm --drop --yes
    """
    from monitor.cli.debts import clear

    return clear(config, receiver, to=to, drop=drop, yes=yes)
