"""The command line: every command, how errors end one, and what becomes of a closed pipe."""

import gc
import os
import sys
from importlib import import_module
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from monitor import __version__, descriptors
from monitor.cli.command import make_command
from monitor.core.errors import MonitorError
from monitor.net.redact import printable
from monitor.screen.glyphs import fall_back

SECTIONS: Final = {
    "Set up and run": {
        "demo": "Show everything on one screen, with simulated providers: no key, no network.",
        "init": "Write a config with comments and a new webhook secret, readable by you alone.",
        "check-config": "Check config files: print every mistake with its line, and warnings.",
        "migrate": "Bring the database to the newest schema, or create it; `run` does this too.",
        "backup": "Back up the SQLite database, while the daemon runs or not.",
        "restore": "Put a back-up in the database's place; the daemon must be stopped.",
        "run": "Run the daemon, which polls and delivers, until SIGTERM or Ctrl-C.",
        "status": "Show an overview: daemons, batches, sources, receivers, deliveries.",
        "test": "Send a `monitor.test` event to a receiver now; needs no running daemon.",
        "listen": "Receive webhooks on this machine and print them, to develop a consumer.",
    },
    "Batches": {
        "batches": "List the batches that a provider has, watched or not; store nothing.",
        "add": "Watch batches; new ones are read at once.",
        "remove": "Stop watching batches; their history stays.",
        "list": "List the watched batches: those in trouble first, then the newest.",
        "show": "Show one batch: its state, pace and timeline, snapshots, events and deliveries.",
        "wait": "Wait until a batch has ended and settled; show progress, pace and estimated end.",
        "poll": "Read one batch from its provider now, to try a key; store nothing.",
    },
    "Events and deliveries": {
        "events": "List the events, the newest first; -o json prints them as they were sent.",
        "explain": "Explain which receivers were told of an event, which were not, and why.",
        "deliveries": "List the deliveries, the newest first.",
        "delivery": "Show one delivery with all its attempts and its body.",
        "redeliver": "Send deliveries again: the same event and id, a new schedule of attempts.",
        "clear": "Clear deliveries that wait for a receiver that was renamed or removed.",
    },
}
"""The commands, each with the first line of its help: a list of them imports none.

The module of a section is called as its title, the function of a command `do_NAME`.
"""

_COLLECT_AFTER: Final = 50_000
"""Objects made and not freed: what imports make stays, and looking through it took a tenth."""


class _Monitor(TyperGroup):
    """The program: each command is imported when it is asked for, and no sooner.

    As click has it: https://click.palletsprojects.com/en/stable/complex/#lazily-loading-subcommands
    """

    def __init__(self, **settings: Any) -> None:
        names = [name for section in SECTIONS.values() for name in section]
        super().__init__(**{**settings, "commands": dict.fromkeys(names)})

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import a command; none of another name."""
        for title, commands in SECTIONS.items():
            if cmd_name in commands:
                section = title.lower().replace(" ", "_")
                module = import_module(f"monitor.cli.commands.{section}")
                function = getattr(module, f"do_{cmd_name.replace('-', '_')}")
                return make_command(cmd_name, function)
        return None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write each section's commands with the first line of their help, whole."""
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(list(commands.items()))

    def invoke(self, ctx: Any) -> Any:
        """Run the command that the arguments name; an error raised on purpose is no traceback."""
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
    rich_markup_mode=None,  # plain help starts quickly and reads the same in a pipe
    pretty_exceptions_enable=False,  # rich would show locals: keys and phone numbers
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100},
)


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
    """Run the command that the arguments name; raise SystemExit."""
    gc.set_threshold(_COLLECT_AFTER)
    _open_standard_streams()
    for stream in (sys.stdout, sys.stderr):
        fall_back(stream)
    try:
        try:
            app(prog_name="monitor")
        finally:
            gc.freeze()  # at its end Python looks for garbage in all that was imported
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
