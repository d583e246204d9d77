"""The command `monitor wait`: its options and its help."""

from datetime import timedelta
from typing import Annotated

import typer

from monitor.cli.options import (
    ENDS,
    BatchArgument,
    ConfigPath,
    SourceArgument,
    Work,
    one_of,
    read_duration,
)
from monitor.core.batch import Outcome


def command(
    source: SourceArgument,
    batch_id: BatchArgument,
    wanted: Annotated[
        str,
        typer.Option(
            "--for",
            metavar="completed|failed|cancelled|ended",
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
) -> Work:
    """Wait until a batch ended and settled, with its progress, pace and estimated end.

    It looks at the database, where a running daemon stores what it reads. Exits with 0 when the
    end is the one waited for, 1 on another one or when the batch is removed, 3 on time-out.

    \b
      monitor wait bolna-prod 3c90c3cc0d44 --timeout 2h && ./send-report
    """
    from monitor.cli.wait_for_batch import wait

    return wait(config, source, batch_id, wanted=wanted, patience=timeout)
