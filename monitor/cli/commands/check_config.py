"""The command `monitor check-config`: its options and its help."""

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.options import ConfigPath


def command(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PATH…]", help="Config files; none: the one in force."),
    ] = None,
    config: ConfigPath = None,
) -> None:
    """Check config files: every mistake with its line, and warnings.

    Exits with 1 if any file has a mistake. A warning is no mistake, nor is a missing secret.
    """
    from monitor.cli.checkup import check

    check([*(paths or []), *([config] if config else [])])
