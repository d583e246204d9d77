"""The command `monitor explain`: its options and its help."""

from typing import Annotated

import typer

from monitor.cli.options import ConfigPath, Output, PageOutput, Work


def command(
    event_id: Annotated[
        str, typer.Argument(metavar="EVENT-ID", help="An event's id, or the beginning of it.")
    ],
    output: PageOutput = Output.TABLE,
    config: ConfigPath = None,
) -> Work:
    """Explain who heard of an event and who did not, and why.

    Shows which routes match or which matcher fails, and what became of each delivery: delivered,
    pending and what it waits for, or dead.
    """
    from monitor.cli.explain_event import show

    return show(config, event_id, output=output)
