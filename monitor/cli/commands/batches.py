"""The commands about batches: their options and their help."""

from datetime import timedelta
from typing import Annotated

import typer

from monitor.cli.options import (
    ENDS,
    ConfigPath,
    Limit,
    ListOutput,
    MatcherArguments,
    Output,
    PageOutput,
    Work,
    duration_option,
    limit_option,
    load,
    name_of,
    one_of,
)
from monitor.core.batch import Outcome

SourceArgument = Annotated[
    str,
    typer.Argument(metavar="SOURCE", help="A source's name in the config.", **name_of("sources")),
]
BatchArgument = Annotated[
    str,
    typer.Argument(metavar="ID", help="The provider's id of the batch, or the beginning of it."),
]
BatchArguments = Annotated[
    list[str],
    typer.Argument(
        metavar="ID…",
        help="The provider's ids of the batches; - reads them from standard input, one per line.",
    ),
]


def do_add(
    source: SourceArgument,
    ids: BatchArguments,
    label: Annotated[
        list[str] | None,
        typer.Option(
            "--label",
            "-l",
            metavar="K=V",
            help="A label for these batches; repeatable. The labels replace all earlier ones.",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="N", help="A name, if there is only one ID.")
    ] = None,
    config: ConfigPath = None,
) -> Work:
    """Watch batches; new ones are read at once.

    A running daemon picks them up within 2 s. Batches that are already watched stay as they are;
    forgotten ones are polled again; removed ones start again with a first reading. A UUID names
    the same batch with or without dashes, in upper or lower case.

    \b
    Examples:
      monitor add bolna-prod 3c90c3cc0d444b5088888dd25736052a -l team=collections
      cut -d, -f1 batches.csv | monitor add vogent -
    """
    from monitor.cli.registration import add, parse_labels

    labels = parse_labels(label or [])
    return add(load(config), source, ids, labels=labels, name=name)


def do_remove(source: SourceArgument, ids: BatchArguments, config: ConfigPath = None) -> Work:
    """Stop watching batches; their history stays.

    If you add a batch again, its sequence continues, with a new first reading.

    \b
    Examples:
      monitor remove bolna-prod 3c90c3cc
      monitor remove vogent - < ids.txt
    """
    from monitor.cli.registration import remove

    return remove(load(config), source, ids)


def do_list(
    matchers: MatcherArguments = None,
    trouble: Annotated[
        bool,
        typer.Option(
            "--trouble",
            help="Only batches that are stalled, unreachable or overdue, whose last poll failed,"
            " or whose source left the config.",
        ),
    ] = False,
    limit: Limit = None,
    output: ListOutput = Output.TABLE,
    config: ConfigPath = None,
) -> Work:
    """List the watched batches: those in trouble first, then the newest.

    A batch is in trouble if it is stalled, unreachable or overdue, if its last poll failed, or if
    its source left the config. Ids are shortened as far as they still name one batch; all commands
    accept them so. For a settled batch the phase column shows how it ended.

    A matcher is written as in a route: a name, then =, !=, =~ or !~, then a value. All must hold.
    Names: source, provider, batch, name, status, phase, outcome, any label, and stalled,
    unreachable, overdue and late, which are true or empty.

    \b
    Examples:
      monitor list --trouble
      monitor list 'phase = running' 'team = collections' -o wide
      monitor list 'stalled = true' 'source = vogent'
      monitor list 'source =~ "bolna-.+"' -o json
    """
    from monitor.cli.list_batches import list_batches

    chosen = matchers or []
    return list_batches(load(config), chosen, trouble=trouble, limit=limit, output=output)


def do_show(
    source: SourceArgument,
    batch_id: BatchArgument,
    limit: Annotated[
        int | None, limit_option("Show at most N snapshots and N events; by default 10 of each.")
    ] = None,
    output: PageOutput = Output.TABLE,
    config: ConfigPath = None,
) -> Work:
    """Show one batch: its state, pace and timeline, snapshots, events and deliveries.

    This works for removed batches too.

    \b
    Examples:
      monitor show bolna-prod 3c90c3cc
      monitor show bolna-prod 3c90c3cc --limit 50 -o json
    """
    from monitor.cli.show_batch import show

    return show(load(config), source, batch_id, limit=limit, output=output)


def do_wait(
    source: SourceArgument,
    batch_id: BatchArgument,
    wanted: Annotated[
        str,
        typer.Option(
            "--for",
            metavar="completed|failed|cancelled|ended",
            help="The end to wait for; ended: any end [default: completed].",
            **one_of(*ENDS),
        ),
    ] = Outcome.COMPLETED,
    timeout: Annotated[
        timedelta | None,
        duration_option("--timeout", "Give up after this time: 30m, 2h … [default: never]."),
    ] = None,
    config: ConfigPath = None,
) -> Work:
    """Wait until a batch has ended and settled; show progress, pace and estimated end.

    The command reads the database; a daemon must run to poll the batch.

    \b
    Examples:
      monitor wait bolna-prod 3c90c3cc --timeout 2h && ./send-report

    Exit codes: 0 if the batch ended as waited for, 1 if it ended otherwise or was removed, 2 on
    wrong usage, 3 on time-out.
    """
    from monitor.cli.wait_for_batch import wait

    return wait(load(config), source, batch_id, wanted=wanted, patience=timeout)


def do_poll(
    source: SourceArgument,
    batch_id: BatchArgument,
    raw: Annotated[
        bool,
        typer.Option(
            "--raw",
            help="First print the answer as it came, with any phone numbers in it, and what each"
            " expression of a generic source finds in it; with -o json only the answer. Keys are"
            " never shown. For Vogent: only the job, not its queue and dials.",
        ),
    ] = False,
    output: PageOutput = Output.TABLE,
    config: ConfigPath = None,
) -> Work:
    """Read one batch from its provider now, to try a key; store nothing.

    It needs no running daemon, and no database unless the ID is shortened.

    \b
    Examples:
      monitor poll bolna-prod 3c90c3cc0d444b5088888dd25736052a
      monitor poll acme c-42 --raw -o json
    """
    from monitor.cli.poll_batch import poll

    return poll(load(config), source, batch_id, raw=raw, output=output)


def do_batches(
    source: SourceArgument,
    limit: Limit = None,
    output: ListOutput = Output.TABLE,
    config: ConfigPath = None,
) -> Work:
    """List the batches that a provider has, watched or not; store nothing.

    It lists what discovery would find, with the same limits and from the same budget. Without
    `discover` in the config, it lists the batches of the last 7 days: of all agents at Bolna, of
    the whole workspace at Vogent.

    \b
    Examples:
      monitor batches bolna-prod
      monitor batches vogent -o json | jq -r '.[].id' | monitor add vogent -
    """
    from monitor.cli.provider_batches import list_batches

    return list_batches(load(config), source, limit=limit, output=output)
