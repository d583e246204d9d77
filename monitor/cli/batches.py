"""Commands about batches: add, remove, list, show, wait, poll."""

from datetime import timedelta
from typing import Annotated

import typer

from monitor.cli.options import (
    ENDS,
    BatchArgument,
    BatchArguments,
    ConfigPath,
    Limit,
    ListOutput,
    MatcherArguments,
    Output,
    PageOutput,
    ShownLimit,
    SourceArgument,
    one_of,
    read_duration,
)
from monitor.core.batch import Outcome


def add(
    source: SourceArgument,
    ids: BatchArguments,
    label: Annotated[
        list[str] | None,
        typer.Option(
            "--label",
            "-l",
            metavar="K=V",
            show_default=False,
            help="A label of these batches, repeatable; all together replace earlier ones.",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="N", help="A name; for a single batch.")
    ] = None,
    config: ConfigPath = None,
) -> None:
    """Watch batches: new ones are read at once.

    A running daemon picks them up within 2 s. Batches that are watched already go on
    undisturbed; forgotten ones are polled again; removed ones start anew from a first reading.
    One UUID names one batch, with its dashes or without, in capitals or not.
    """
    from monitor.cli.commands import add_and_remove

    add_and_remove.add(config, source, ids, labels=label or [], name=name)


def remove(source: SourceArgument, ids: BatchArguments, config: ConfigPath = None) -> None:
    """Stop watching batches; their history stays.

    Adding one again goes on with its sequence, from a new first reading.
    """
    from monitor.cli.commands import add_and_remove

    add_and_remove.remove(config, source, ids)


def list_(
    matchers: MatcherArguments = None,
    limit: Limit = None,
    output: ListOutput = Output.TABLE,
    config: ConfigPath = None,
) -> None:
    """List the watched batches, the newest first.

    Matchers are those of routes: name, then =, !=, =~ or !~, then a value; all must hold. Names:
    source, provider, batch, name, status, phase, outcome and any label.

    \b
      monitor list 'phase = running' 'team = collections'
      monitor list 'source =~ "bolna-.+"' -o json
    """
    from monitor.cli.commands import list_batches

    list_batches.show(config, matchers or [], limit=limit, output=output)


def show(
    source: SourceArgument,
    batch_id: BatchArgument,
    limit: ShownLimit = None,
    output: PageOutput = Output.TABLE,
    config: ConfigPath = None,
) -> None:
    """Show one batch: its state, pace and timeline, snapshots, events and deliveries.

    Works for removed batches too.
    """
    from monitor.cli.commands import show_batch

    show_batch.show(config, source, batch_id, limit=limit, output=output)


def wait(
    source: SourceArgument,
    batch_id: BatchArgument,
    wanted: Annotated[
        str,
        typer.Option(
            "--for",
            metavar="completed|failed|cancelled|ended",
            show_default=False,
            callback=one_of(*ENDS),
            help="The end to wait for; ended: any [default: completed].",
        ),
    ] = Outcome.COMPLETED,
    timeout: Annotated[
        timedelta | None,
        typer.Option(
            "--timeout",
            metavar="DURATION",
            parser=read_duration,
            help="Give up after 30m, 2h … [never].",
        ),
    ] = None,
    config: ConfigPath = None,
) -> None:
    """Wait until a batch ended and settled, with its progress, pace and estimated end.

    It looks at the database, where a running daemon stores what it reads. Exits with 0 when the
    end is the one waited for, 1 on another one or when the batch is removed, 3 on time-out.

    \b
      monitor wait bolna-prod 3c90c3cc0d44 --timeout 2h && ./send-report
    """
    from monitor.cli.commands import wait_for_batch

    wait_for_batch.wait(config, source, batch_id, wanted=wanted, timeout=timeout)


def poll(
    source: SourceArgument,
    batch_id: BatchArgument,
    raw: Annotated[
        bool,
        typer.Option(
            "--raw",
            help="First the answer as it came, phone numbers and all, and what each expression of"
            " a generic source finds in it; with json the answer alone. Keys never show. Of a"
            " Vogent job the job alone, not its queue and dials.",
        ),
    ] = False,
    output: PageOutput = Output.TABLE,
    config: ConfigPath = None,
) -> None:
    """Read one batch from its provider now and store nothing: the way to try a key.

    Needs no database and no running daemon.
    """
    from monitor.cli.commands import poll_batch

    poll_batch.show(config, source, batch_id, raw=raw, output=output)
