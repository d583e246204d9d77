"""The commands that set the monitor up and run it: their options and their help."""

import os
import signal
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.options import (
    RECIPES,
    BodyOutput,
    ConfigPath,
    Output,
    PageOutput,
    Work,
    duration_option,
    load,
    name_of,
    one_of,
)
from monitor.core.event import EventType


def do_demo(
    duration: Annotated[
        timedelta, duration_option("--duration", "How long to show it: 5s to 1h [default: 60s].")
    ] = timedelta(seconds=60),
) -> None:
    """Show the whole path on one screen: no key, no network.

    Simulated Bolna and Vogent APIs, the daemon on SQLite in a temporary folder, and a consumer
    that verifies every webhook. Ten batches live, one is lost for a while; then a summary.
    Ctrl-C ends it before.

    \b
    Examples:
      monitor demo --duration 30s

    Exit codes: 0 when everything that was served has arrived, 1 otherwise, 2 on wrong usage.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(ValueError):  # only a main thread takes signals
            signal.signal(number, _leave)
    from monitor.cli.show_demo import show

    show(duration)


def do_init(
    path: Annotated[
        Path, typer.Argument(metavar="[PATH]", help="Where to write it [default: config.toml].")
    ] = Path("config.toml"),
    provider: Annotated[
        str | None,
        typer.Option(
            "--provider",
            "-p",
            metavar="bolna|vogent|generic|RECIPE",
            **one_of("bolna", "vogent", "generic", *RECIPES),
            help=f"A source of this provider, or by a recipe: {', '.join(RECIPES)}.",
        ),
    ] = None,
    discover: Annotated[
        bool, typer.Option("--discover", help="Let it find its batches by itself.")
    ] = False,
    slack: Annotated[bool, typer.Option("--slack", help="A receiver in Slack.")] = False,
    webhook: Annotated[
        bool, typer.Option("--webhook", help="A receiver of signed webhooks.")
    ] = False,
) -> None:
    """Write a commented config with a fresh webhook secret, for your eyes only (mode 0600).

    With options just what they ask for, else a bit of everything. An existing file is never
    overwritten.

    \b
    Examples:
      monitor init --provider bolna --discover --slack
      monitor init /etc/monitor/config.toml
    """
    from monitor.cli.init_config import init

    receivers = [*(["slack"] if slack else []), *(["webhook"] if webhook else [])]
    init(path, provider=provider, discover=discover, receivers=receivers)


def do_check_config(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PATH…]", help="Config files; none: the one in force."),
    ] = None,
    config: ConfigPath = None,
) -> None:
    """Check config files: every mistake with its line, and warnings.

    A warning is no mistake, nor is a missing secret.

    \b
    Examples:
      monitor check-config
      monitor check-config new.toml && systemctl reload monitor

    Exit codes: 0 without any mistake, 1 if any file has one, 2 on wrong usage.
    """
    from monitor.cli.checkup import check

    check([*(paths or []), *([config] if config else [])])


def do_migrate(config: ConfigPath = None) -> Work:
    """Bring the database to the newest schema, or make it; `run` does so by itself.

    Refused while a daemon holds the SQLite file.

    \b
    Examples:
      monitor migrate --config /etc/monitor/config.toml
    """
    from monitor.cli.database_file import migrate

    return migrate(load(config))


def do_backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the back-up goes.")],
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    config: ConfigPath = None,
) -> None:
    """Back up the SQLite database, while the daemon runs or not.

    One state as of now, checked, in one file that only you can read; the daemon goes on
    meanwhile. On Postgres it says how.

    \b
    Examples:
      monitor backup /backups/monitor.db --force
    """
    from monitor.cli.database_file import back_up

    back_up(load(config), file, force=force)


def do_restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `backup` made.")],
    config: ConfigPath = None,
) -> None:
    """Put a back-up in the database's place, with the daemon stopped.

    Checks it first. What stood there is kept beside it, as NAME.replaced. On Postgres it says
    how.

    \b
    Examples:
      monitor restore /backups/monitor.db
    """
    from monitor.cli.database_file import restore

    restore(load(config), file)


def do_run(config: ConfigPath = None) -> None:
    """Run the daemon: poll, notice, deliver, until SIGTERM or Ctrl-C.

    SIGHUP reloads the config; if it comes because the terminal is gone, the daemon stops.
    Logs go to standard output; on a terminal a line for each event too. Health and metrics:
    http://127.0.0.1:8470/-/ready and /metrics unless [server] says otherwise.

    \b
    Examples:
      monitor run
      monitor run --config /etc/monitor/config.toml
    """
    with suppress(ValueError):  # only a main thread takes signals
        signal.signal(signal.SIGTERM, _leave)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})  # it waits for who reloads
    from monitor.cli.launch import launch

    launch(load(config))


def do_status(output: PageOutput = Output.TABLE, config: ConfigPath = None) -> Work:
    """Show how the whole fares: daemons, batches, sources, receivers, deliveries.

    For people, and with json for scripts: whether the daemon is well says /-/ready.

    \b
    Examples:
      monitor status
      monitor status -o json
    """
    from monitor.cli.show_status import status

    return status(load(config), output=output)


def do_test(
    receiver: Annotated[
        str,
        typer.Argument(
            metavar="RECEIVER", help="A receiver's name in the config.", **name_of("receivers")
        ),
    ],
    event_type: Annotated[
        str,
        typer.Option(
            "--type",
            metavar="TYPE",
            **one_of(*EventType),
            help="Send the example of a type, such as batch.failed, marked as a test.",
        ),
    ] = EventType.TEST,
    config: ConfigPath = None,
) -> Work:
    """Send a `monitor.test` event to a receiver now, by the real path, daemon or not.

    With --type it is the body that docs/events.md shows of it, as if it happened now: its source
    is the receiver, and `data.test` is true.

    Prints status, latency and response. One attempt: a test that fails does not arrive later.

    \b
    Examples:
      monitor test ops
      monitor test crm --type batch.failed

    Exit codes: 0 when the receiver took it, 1 when it did not, 2 on wrong usage.
    """
    from monitor.cli.send_test import send

    return send(load(config), receiver, event_type)


def do_listen(
    port: Annotated[
        int,
        typer.Option(min=0, max=65535, metavar="PORT", help="0 is any free one [default: 8000]."),
    ] = 8000,
    receiver: Annotated[
        str | None,
        typer.Option("--receiver", "-r", metavar="R", help="Whose secret; else the only one's."),
    ] = None,
    secret_env: Annotated[
        str | None,
        typer.Option("--secret-env", metavar="NAME", help="Or that of an environment variable."),
    ] = None,
    output: BodyOutput = Output.TABLE,
    config: ConfigPath = None,
) -> Work:
    """Take webhooks on loopback and print them: to develop what is to take them.

    A line each: whether it is verified or seen before, its type, sequence, source and subject; or
    why it is refused. Any path will do. What to write into the config file, so that webhooks come
    here, is printed at the start.

    \b
    Examples:
      monitor listen --receiver crm
      monitor listen --receiver crm -o json | jq .data.counts
    """
    if receiver is not None and secret_env is not None:
        raise typer.BadParameter("give one of them", param_hint="--receiver, --secret-env")
    from monitor.cli.listen import listen, receiver_in, receiver_with

    heard = receiver_with(secret_env) if secret_env else receiver_in(load(config), receiver)
    return listen(heard, port=port, output=output)


def _leave(_number: int, _frame: object) -> None:
    """End with 0; daemon and demo take their signals themselves once they have begun.

    At once: to write the rest of an error could wait for ever for who reads it.
    """
    os._exit(0)
