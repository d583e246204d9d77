"""The demo from the command line: `monitor demo`."""

import asyncio
import logging
import sys
from typing import Final

import typer
from rich.text import Text

from monitor.cli.event_summary import summarise
from monitor.cli.screen import make_console
from monitor.demo.presenter import Lines, LiveScreen
from monitor.demo.show import perform
from monitor.net.redact import printable
from monitor.settings import parse_duration

SHORTEST: Final = "5s"
LONGEST: Final = "1h"


def run(duration: str) -> None:
    """Perform for so long; exit with 1 unless all that was served has arrived."""
    seconds = _parse(duration)
    logging.getLogger().addHandler(logging.NullHandler())  # the screen is nobody's log
    console = make_console()
    live = sys.stdout.isatty() and console.is_terminal and not console.is_dumb_terminal
    presenter = LiveScreen(console) if live else Lines(console, summarise)
    ending = asyncio.run(perform(seconds, presenter, summarise))
    for line in ending.lines():
        console.print(Text(printable(line)), soft_wrap=True)
    if not ending.well:
        raise typer.Exit(1)


def _parse(duration: str) -> float:
    try:
        wanted = parse_duration(duration)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--duration") from None
    if not parse_duration(SHORTEST) <= wanted <= parse_duration(LONGEST):
        reason = f"must be from {SHORTEST} to {LONGEST}"
        raise typer.BadParameter(reason, param_hint="--duration")
    return wanted.total_seconds()
