"""Commands round the daemon: demo, init, check-config, migrate, run."""

import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.options import ConfigPath


def demo(
    duration: Annotated[
        str,
        typer.Option(
            "--duration",
            metavar="DURATION",
            help="How long to show it: 5s to 1h.",
            show_default=True,
        ),
    ] = "60s",
) -> None:
    """Show the whole path on one screen: no key, no network.

    Simulated Bolna and Vogent APIs, the daemon on SQLite in a temporary folder, and a consumer
    that verifies every webhook. Ten batches live, one is lost for a while; then a summary.
    Ctrl-C ends it before. Exits with 1 unless everything that was served has arrived.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(ValueError):  # only a main thread takes signals
            signal.signal(number, _leave)
    from monitor.cli.commands import run_demo

    run_demo.run(duration)


def init(
    path: Annotated[
        Path, typer.Argument(metavar="[PATH]", help="Where to write it.", show_default=True)
    ] = Path("config.toml"),
) -> None:
    """Write a commented config with a fresh webhook secret, for your eyes only (mode 0600).

    An existing file is never overwritten.
    """
    from monitor.config.starter import write_starter
    from monitor.net.redact import printable

    write_starter(path)
    shown = printable(str(path))
    typer.echo(f"wrote {shown}: its first lines say how to get to the first message")
    typer.echo(f"check it with `monitor check-config {shown}`")


def check_config(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[PATH…]", show_default=False, help="Config files; none: the one in force."
        ),
    ] = None,
    config: ConfigPath = None,
) -> None:
    """Check config files: every mistake with its line, and warnings.

    Exits with 1 if any file has a mistake; warnings and missing secrets are none.
    """
    from monitor.cli.commands import check_config

    given = [*(paths or []), *([config] if config else [])]
    check_config.check(given)


def migrate(config: ConfigPath = None) -> None:
    """Bring the database to the newest schema, or make it; `run` does so by itself.

    Refused while a daemon holds the SQLite file.
    """
    from monitor.cli.commands import run_daemon

    run_daemon.migrate(config)


def run(config: ConfigPath = None) -> None:
    """Run the daemon: poll, notice, deliver, until SIGTERM or Ctrl-C.

    Logs go to standard output. Health and metrics: http://127.0.0.1:8470/-/ready and /metrics
    unless [server] says otherwise.
    """
    with suppress(ValueError):  # only a main thread takes signals
        signal.signal(signal.SIGTERM, _leave)
    from monitor.cli.commands import run_daemon

    run_daemon.run(config)


def _leave(_number: int, _frame: object) -> None:
    """End with 0 while nothing has begun; daemon and demo take their signals themselves."""
    sys.exit(0)
