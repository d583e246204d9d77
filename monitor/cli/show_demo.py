"""The demo on a terminal, or as lines."""

import asyncio
import logging
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import timedelta
from typing import Final

import typer

from monitor.cli.next_step import program
from monitor.config.load import find
from monitor.core.errors import ConfigError
from monitor.demo.presenter import Lines, live_screen
from monitor.demo.show import perform
from monitor.screen.console import make_console, safe
from monitor.setting_types import write_duration

SHORTEST: Final = timedelta(seconds=5)
LONGEST: Final = timedelta(hours=1)


def next_commands() -> Iterator[str]:
    """Write what to type next, to be pasted as it is; a config that is there is not made anew.

    No comments beside it: zsh takes them for arguments.
    """
    monitor = program()
    try:
        find()
    except ConfigError:
        yield f"  {monitor} init --provider bolna --discover --slack"
        yield "  export BOLNA_API_KEY=... SLACK_WEBHOOK_URL=..."
        yield f"  {monitor} check-config"
        yield f"  {monitor} batches bolna-prod"
    else:
        yield f"  {monitor} check-config"
    yield f"  {monitor} run"


def show(duration: timedelta) -> None:
    """Perform for a duration; raise Exit(1) unless all that was served has arrived."""
    if not SHORTEST <= duration <= LONGEST:
        reason = f"must be from {write_duration(SHORTEST)} to {write_duration(LONGEST)}"
        raise typer.BadParameter(reason, param_hint="--duration")
    logging.getLogger().addHandler(logging.NullHandler())  # the screen is nobody's log
    console = make_console()
    live = sys.stdout.isatty() and console.is_terminal and not console.is_dumb_terminal
    presenter = live_screen(console) if live else nullcontext(Lines(console).show)
    summary = asyncio.run(perform(duration.total_seconds(), presenter))
    about = "Next, with an account of your own (each says what comes after it):"
    for line in (*summary.lines(), "", about, *next_commands()):
        console.print(safe(line), soft_wrap=True)
    if not summary.well:
        raise typer.Exit(1)
