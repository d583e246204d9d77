"""The command `monitor backup`: its options and its help."""

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.options import ConfigPath


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the back-up goes.")],
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    config: ConfigPath = None,
) -> None:
    """Back up the SQLite database, while the daemon runs or not.

    One state as of now, checked, in one file that only you can read; the daemon goes on
    meanwhile. On Postgres it says how.
    """
    from monitor.cli.database_file import back_up

    back_up(config, file, force=force)
