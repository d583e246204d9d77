"""The command `monitor test`: its options and its help."""

from typing import Annotated

import typer

from monitor.cli.options import ConfigPath, Work


def command(
    receiver: Annotated[
        str, typer.Argument(metavar="RECEIVER", help="A receiver's name in the config.")
    ],
    config: ConfigPath = None,
) -> Work:
    """Send a `monitor.test` event to a receiver now, by the real path, daemon or not.

    Prints status, latency and response. One attempt: a test that fails does not arrive later.
    """
    from monitor.cli.send_test import send

    return send(config, receiver)
