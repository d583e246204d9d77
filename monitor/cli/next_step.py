"""The next step: the command to type after this one, as this shell takes it."""

import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from monitor.config.load import find
from monitor.config.schema import Config
from monitor.core.errors import ConfigError
from monitor.facts.sentence import Sentence, Tone
from monitor.providers import BolnaSettings
from monitor.screen.console import make_console, say

_MODULE: Final = ("monitor", "__main__.py")


def show_next(*steps: str) -> None:
    """Print the next step as the last line of a command's text; several are alternatives.

    No line is broken: it is there to be copied.
    """
    line = Sentence(f"next: {', or '.join(steps)}", Tone.ASIDE)
    make_console().print(say(line), soft_wrap=True)


def ways_to_watch(config: Config, source: str, batch_id: str = "ID") -> Iterator[str]:
    """Write how a source's batches, or one of them, come to be watched."""
    settings = config.sources[source]
    if settings.discover is not None:
        yield f"{command('run', config)} watches what discover finds at {source}"
        return
    switch = '"all"' if isinstance(settings, BolnaSettings) else "true"
    yield f"{command(f'add {source} {shlex.quote(batch_id)}', config)} watches one"
    if settings.listing().discover is not None:
        yield f"discover = {switch} in [sources.{source}] all of them, and those to come"


def program() -> str:
    """Write how this program is called: `monitor` where the shell finds it, else its path."""
    called = Path(sys.argv[0])
    if called.parts[-2:] == _MODULE:
        return shlex.join([_nearer(Path(sys.executable)), "-m", "monitor"])
    found = shutil.which(called.name)
    if called.name != "monitor" or (found and Path(found).samefile(called)):
        return "monitor"
    return shlex.quote(_nearer(called))


def command(words: str, config: Config | Path | None = None) -> str:
    """Write a command in backquotes, with the config file unless it is the one in force anyway."""
    path = config.path if isinstance(config, Config) else config
    named = "" if path is None or _is_in_force(path) else f" --config {shlex.quote(_nearer(path))}"
    return f"`{program()} {words}{named}`"


def _is_in_force(path: Path) -> bool:
    try:
        return find().absolute() == path.absolute()
    except ConfigError:
        return False


def _nearer(path: Path) -> str:
    """Write a path as seen from here, if it lies below."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
