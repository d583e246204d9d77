"""The command `monitor delivery`: its options and its help."""

from typing import Annotated

import typer

from monitor.cli.options import ConfigPath, Output, PageOutput, Work


def command(
    delivery_id: Annotated[
        str, typer.Argument(metavar="ID", help="A delivery's id, or its event's if it has one.")
    ],
    output: PageOutput = Output.TABLE,
    config: ConfigPath = None,
) -> Work:
    """Show one delivery with all its attempts and the body that is sent."""
    from monitor.cli.show_delivery import show

    return show(config, delivery_id, output=output)
