"""The command `monitor poll`: its options and its help."""

from typing import Annotated

import typer

from monitor.cli.options import (
    BatchArgument,
    ConfigPath,
    Output,
    PageOutput,
    SourceArgument,
    Work,
)


def command(
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
) -> Work:
    """Read one batch from its provider now and store nothing: the way to try a key.

    Needs no database and no running daemon.
    """
    from monitor.cli.poll_batch import poll

    return poll(config, source, batch_id, raw=raw, output=output)
