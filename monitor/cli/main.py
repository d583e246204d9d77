"""The command line: every command, how errors end one, and what becomes of a closed pipe."""

import os
import sys
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Final

import typer

from monitor import __version__, descriptors
from monitor.cli import batches, deliveries, running
from monitor.cli.glyphs import fall_back
from monitor.cli.help import Command, Commands
from monitor.core.errors import MonitorError
from monitor.net.redact import printable

_COMMANDS: Final[dict[str, dict[str, Callable[..., None]]]] = {
    "Set up and run": {
        "demo": running.demo,
        "init": running.init,
        "check-config": running.check_config,
        "migrate": running.migrate,
        "backup": running.backup,
        "restore": running.restore,
        "run": running.run,
        "test": deliveries.send_test,
    },
    "Batches": {
        "add": batches.add,
        "remove": batches.remove,
        "list": batches.list_,
        "show": batches.show,
        "wait": batches.wait,
        "poll": batches.poll,
    },
    "Events and deliveries": {
        "events": deliveries.events,
        "explain": deliveries.explain,
        "deliveries": deliveries.deliveries,
        "delivery": deliveries.delivery,
        "redeliver": deliveries.redeliver,
        "clear": deliveries.clear,
    },
}


class _Monitor(Commands):
    """Run a command; an error raised on purpose is told without a traceback."""

    sections: ClassVar = {title: tuple(commands) for title, commands in _COMMANDS.items()}

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except MonitorError as error:
            for line in str(error).splitlines():
                typer.echo(printable(line), err=True)
            raise typer.Exit(1) from None


app = typer.Typer(
    name="monitor",
    cls=_Monitor,
    epilog="`monitor COMMAND --help` says more. Exit codes: 0 done, 1 failed, 2 wrong usage,"
    " 3 time-out (wait).",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain help starts quickly and reads the same in a pipe
    pretty_exceptions_enable=False,  # rich would show locals: keys and phone numbers
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100},
)
for _section in _COMMANDS.values():
    for _name, _command in _section.items():
        app.command(_name, cls=Command)(_command)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"monitor {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Watch batches of voice-AI calls; tell Slack and signed webhooks what happened."""


def main() -> None:
    """Run the command that the arguments name; raises SystemExit."""
    _open_standard_streams()
    for stream in (sys.stdout, sys.stderr):
        fall_back(stream)
    try:
        try:
            app(prog_name="monitor")
        finally:
            sys.stdout.flush()
    except OSError as error:  # a closed pipe is quiet: whoever reads us has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            said = error.strerror or type(error).__name__
            shortage = descriptors.is_shortage(error)
            sys.stderr.write(f"{said}: raise `ulimit -n`\n" if shortage else f"{said}\n")
        sys.exit(1)


def _open_standard_streams() -> None:
    """Have a closed one lead nowhere (`monitor run >&-`).

    Else the next file that is opened, the database say, gets its number, and what is written to
    that number.
    """
    while (opened := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(opened, True)
    os.close(opened)
    sys.stdin = sys.stdin or os.fdopen(0)
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")
