"""The first config: what `monitor init` writes, and what is left to do with it."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import typer

from monitor.cli.next_step import command, show_next
from monitor.config.starter import starter_of, variables_in, whole_starter, write_starter
from monitor.core.errors import ConfigError
from monitor.net.redact import printable

_MADE_UP: Final = {
    "api.acme.example": "sources.acme is made up: put an API of yours in its place",
    "crm.example.com": "the url of receivers.crm is made up: put your consumer's in its place",
}
_TO_PUT_IN: Final = re.compile(r'^url = "[^"]*\b([A-Z]{4,})\b', re.MULTILINE)


def init(path: Path, *, provider: str | None, discover: bool, receivers: Sequence[str]) -> None:
    """Write a config of what is asked for, else the whole one, and say what comes next."""
    shown = printable(str(path))
    if discover and provider is None:
        raise typer.BadParameter("needs --provider", param_hint="--discover")
    if not path.parent.is_dir():
        raise ConfigError([f"{shown}: there is no folder {path.parent}; make it first (mkdir -p)"])
    if provider is None and not receivers:
        text = whole_starter()
    else:
        text = _choose(provider, discover=discover, receivers=receivers)
    write_starter(path, text)
    typer.echo(f"wrote {shown}, readable by you alone")
    for line in _left_to_do(text):
        typer.echo(line)
    unset = (name for name in variables_in(text) if not os.environ.get(name))
    variables = " ".join(f"{name}=..." for name in unset)
    first = f"`export {variables}`, then " if variables else ""
    show_next(first + command("check-config", path))


def _choose(provider: str | None, *, discover: bool, receivers: Sequence[str]) -> str:
    try:
        return starter_of(provider, discover=discover, receivers=receivers)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--provider") from None


def _left_to_do(text: str) -> Iterator[str]:
    """Name what stands in a starter for what only its reader knows."""
    used = re.sub("^#.*", "", text, flags=re.MULTILINE)
    yield from (line for word, line in _MADE_UP.items() if word in used)
    for word in dict.fromkeys(_TO_PUT_IN.findall(used)):
        yield f"put yours in place of {word} in its URLs"
