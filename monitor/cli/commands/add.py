"""The command `monitor add`: its options and its help."""

from typing import Annotated

import typer

from monitor.cli.options import BatchArguments, ConfigPath, SourceArgument, Work


def command(
    source: SourceArgument,
    ids: BatchArguments,
    label: Annotated[
        list[str] | None,
        typer.Option(
            "--label",
            "-l",
            metavar="K=V",
            help="A label of these batches, repeatable; all together replace earlier ones.",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="N", help="A name; for a single batch.")
    ] = None,
    config: ConfigPath = None,
) -> Work:
    """Watch batches: new ones are read at once.

    A running daemon picks them up within 2 s. Batches that are watched already go on
    undisturbed; forgotten ones are polled again; removed ones start anew from a first reading.
    One UUID names one batch, with its dashes or without, in capitals or not.
    """
    from monitor.cli.registration import add

    return add(config, source, ids, labels=label or [], name=name)
