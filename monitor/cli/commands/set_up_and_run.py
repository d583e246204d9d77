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
        timedelta, duration_option("--duration", "How long the demo runs: 5s to 1h [default: 60s].")
    ] = timedelta(seconds=60),
) -> None:
    """Show everything on one screen, with simulated providers: no key, no network.

    It runs simulated Bolna and Vogent APIs, the daemon with SQLite in a temporary folder, and a
    consumer that verifies every webhook. Ten batches run; one cannot be read for a while. At the
    end there is a summary. Ctrl-C ends the demo early.

    \b
    Examples:
      monitor demo --duration 30s

    Exit codes: 0 if every event that was due arrived, 1 otherwise, 2 on wrong usage.
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
            help=f"Write a source of this provider, or by a recipe: {', '.join(RECIPES)}.",
        ),
    ] = None,
    discover: Annotated[
        bool, typer.Option("--discover", help="Let the source find its batches by itself.")
    ] = False,
    slack: Annotated[bool, typer.Option("--slack", help="Write a Slack receiver.")] = False,
    webhook: Annotated[
        bool, typer.Option("--webhook", help="Write a receiver of signed webhooks.")
    ] = False,
) -> None:
    """Write a config with comments and a new webhook secret, readable by you alone.

    With options it writes just those tables, without options a longer file to edit, with mode 0600.
    It never overwrites a file.

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
        typer.Argument(metavar="[PATH…]", help="Config files; by default the one of `run`."),
    ] = None,
    config: ConfigPath = None,
) -> None:
    """Check config files: print every mistake with its line, and warnings.

    A warning does not count as a mistake, nor does a missing secret.

    \b
    Examples:
      monitor check-config
      monitor check-config new.toml && systemctl reload monitor

    Exit codes: 0 without any mistake, 1 if any file has one, 2 on wrong usage.
    """
    from monitor.cli.checkup import check

    check([*(paths or []), *([config] if config else [])])


def do_migrate(config: ConfigPath = None) -> Work:
    """Bring the database to the newest schema, or create it; `run` does this too.

    It is refused while a daemon uses the SQLite file.

    \b
    Examples:
      monitor migrate --config /etc/monitor/config.toml
    """
    from monitor.cli.database_file import migrate

    return migrate(load(config))


def do_backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write the back-up.")],
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    config: ConfigPath = None,
) -> None:
    """Back up the SQLite database, while the daemon runs or not.

    It writes one checked file that only you can read, with the state of this moment. With Postgres
    it prints the command to use.

    \b
    Examples:
      monitor backup /backups/monitor.db --force
    """
    from monitor.cli.database_file import back_up

    back_up(load(config), file, force=force)


def do_restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `backup` wrote.")],
    config: ConfigPath = None,
) -> None:
    """Put a back-up in the database's place; the daemon must be stopped.

    It checks the back-up first, and keeps the old database as NAME.replaced. With Postgres it
    prints the command to use.

    \b
    Examples:
      monitor restore /backups/monitor.db
    """
    from monitor.cli.database_file import restore

    restore(load(config), file)


def do_run(config: ConfigPath = None) -> None:
    """Run the daemon, which polls and delivers, until SIGTERM or Ctrl-C.

    SIGHUP reloads the config; if the terminal has been closed, it stops the daemon instead. The
    log goes to standard output; on a terminal there is also a line for each event. Health and
    metrics are at http://127.0.0.1:8470/-/ready and /metrics, unless [server] says otherwise.

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
    """Show an overview: daemons, batches, sources, receivers, deliveries.

    It is for people, and with -o json for scripts. A daemon's health is at /-/ready.

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
            help="Send the example of this type, such as batch.failed, marked as a test.",
        ),
    ] = EventType.TEST,
    config: ConfigPath = None,
) -> Work:
    """Send a `monitor.test` event to a receiver now; needs no running daemon.

    With --type it sends the example of that type from docs/events.md, as if it happened now. Its
    source is the receiver, and `data.test` is true.

    It prints status, latency and response. A test that fails is not sent again.

    \b
    Examples:
      monitor test ops
      monitor test crm --type batch.failed

    Exit codes: 0 if the receiver accepted the test, 1 if not, 2 on wrong usage.
    """
    from monitor.cli.send_test import send

    return send(load(config), receiver, event_type)


def do_listen(
    port: Annotated[
        int,
        typer.Option(min=0, max=65535, metavar="PORT", help="0: any free one [default: 8000]."),
    ] = 8000,
    receiver: Annotated[
        str | None,
        typer.Option("--receiver", "-r", metavar="R", help="With its secret; else the only one's."),
    ] = None,
    secret_env: Annotated[
        str | None,
        typer.Option("--secret-env", metavar="NAME", help="Or with the secret in this variable."),
    ] = None,
    output: BodyOutput = Output.TABLE,
    config: ConfigPath = None,
) -> Work:
    """Receive webhooks on this machine and print them, to develop a consumer.

    It prints one line per webhook: whether it is verified or seen before, its type, sequence,
    source and subject; or why it is refused. Any path works. At the start it prints what to write
    into the config file, so that webhooks come here.

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
