"""The command `monitor demo`: its options and its help."""

import signal
from contextlib import suppress
from datetime import timedelta
from typing import Annotated

import typer

from monitor.cli.options import read_duration
from monitor.cli.signals import leave


def command(
    duration: Annotated[
        timedelta,
        typer.Option(
            "--duration",
            metavar="DURATION",
            parser=read_duration,
            help="How long to show it: 5s to 1h [default: 60s].",
        ),
    ] = timedelta(seconds=60),
) -> None:
    """Show the whole path on one screen: no key, no network.

    Simulated Bolna and Vogent APIs, the daemon on SQLite in a temporary folder, and a consumer
    that verifies every webhook. Ten batches live, one is lost for a while; then a summary.
    Ctrl-C ends it before. Exits with 1 unless everything that was served has arrived.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(ValueError):  # only a main thread takes signals
            signal.signal(number, leave)
    from monitor.cli.show_demo import show

    show(duration)
