"""The command `monitor init`: its options and its help."""

from pathlib import Path
from typing import Annotated

import typer


def command(
    path: Annotated[
        Path, typer.Argument(metavar="[PATH]", help="Where to write it [default: config.toml].")
    ] = Path("config.toml"),
) -> None:
    """Write a commented config with a fresh webhook secret, for your eyes only (mode 0600).

    An existing file is never overwritten.
    """
    from monitor.config.starter import write_starter
    from monitor.core.errors import ConfigError
    from monitor.net.redact import printable

    shown = printable(str(path))
    if not path.parent.is_dir():
        raise ConfigError([f"{shown}: there is no folder {path.parent}; make it first (mkdir -p)"])
    write_starter(path)
    typer.echo(f"wrote {shown}: its first lines say how to get to the first message")
    typer.echo(f"check it with `monitor check-config {shown}`")
