"""The command `monitor restore`: its options and its help."""

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.options import ConfigPath


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `backup` made.")],
    config: ConfigPath = None,
) -> None:
    """Put a back-up in the database's place, with the daemon stopped.

    Checks it first. What stood there is kept beside it, as NAME.replaced. On Postgres it says
    how.
    """
    from monitor.cli.database_file import restore

    restore(config, file)
