"""Loading: find the file, read it, and tell every mistake with its line."""

import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from monitor.config.environment import instance_name, override
from monitor.config.lines import KeyPath, line_at, lines_of
from monitor.config.mistakes import Mistake, mistakes_of
from monitor.config.references import check_references
from monitor.config.schema import Config, ConfigFile, Monitor
from monitor.config.unmatched import check_matchers
from monitor.core.errors import ConfigError
from monitor.secret import twins_of

PLACES: Final = (Path("config.toml"), Path("/etc/monitor/config.toml"))
"""Where a config is looked for when neither --config nor $MONITOR_CONFIG names one."""

_POSITION: Final = re.compile(r" \(at line (\d+), column (\d+)\)$")


def load(path: Path | None = None) -> Config:
    """Return the config in force; raises ConfigError with every mistake, one line each."""
    found = path or find()
    data = _read(found)
    text = _decode(found, data)
    tables = _parse(found, text)
    merged, variables = override(tables, os.environ)
    file, mistakes = _validate(merged, found.absolute().parent)
    mistakes.extend(check_references(tables))
    mistakes.extend(check_matchers(tables))
    instance, complaints = _instance()
    if file is None or mistakes or complaints:
        raise ConfigError([*_report(found, text, mistakes, variables), *complaints])
    return _assemble(found.absolute(), file, instance)


def find() -> Path:
    """Return the config in force where no option names one; raises ConfigError without any.

    A folder that may not be entered holds none of ours: `sudo` leaves one in root's home.
    """
    if named := os.environ.get("MONITOR_CONFIG"):
        return Path(named)
    for place in PLACES:
        if os.access(place.parent, os.X_OK) and place.exists():
            return place
    raise _none_at(PLACES)


def _none_at(places: Sequence[Path]) -> ConfigError:
    return ConfigError(
        [
            f"no config file: there is no {' and no '.join(str(place) for place in places)}; "
            "`monitor init` writes one, --config PATH or $MONITOR_CONFIG names another"
        ]
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise _none_at([path]) from None
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from error


def _decode(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError([f"{path}:{line}: is not UTF-8 text"]) from None


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        position = _POSITION.search(str(error))
        line = int(position[1]) if position else max(1, len(text.splitlines()))
        reason = _POSITION.sub(r" (column \2)", str(error))
        raise ConfigError([f"{path}:{line}: is not valid TOML: {reason}"]) from None
    except (ValueError, RecursionError):
        raise ConfigError(
            [f"{path}:1: is not valid TOML: a number is too long or tables lie too deep"]
        ) from None


def _validate(tables: Mapping[str, Any], folder: Path) -> tuple[ConfigFile | None, list[Mistake]]:
    try:
        return ConfigFile.model_validate(tables, context={"folder": folder}), []
    except ValidationError as error:
        return None, mistakes_of(error)


def _instance() -> tuple[str, list[str]]:
    try:
        return instance_name(os.environ), []
    except ValueError as error:
        return "", [f"the environment variable MONITOR_INSTANCE {error}"]


def _report(
    path: Path, text: str, mistakes: Iterable[Mistake], variables: Mapping[KeyPath, str]
) -> Iterator[str]:
    """Write one line per mistake, in the order of the file."""
    lines = lines_of(text)
    for mistake in sorted(mistakes, key=lambda mistake: _line(lines, mistake.path)):
        see = f" (line {_line(lines, mistake.see)})" if mistake.see else ""
        if variable := variables.get(mistake.path):
            yield f"the environment variable {variable} {mistake.text}"
        else:
            line = _line(lines, mistake.path)
            yield f"{path}:{line}: {mistake.key}: {mistake.text}{see}"


def _line(lines: Mapping[KeyPath, int], path: KeyPath) -> int:
    """Return a key's line; a secret may stand there under the name of a twin."""
    *above, key = path
    for twin in twins_of(str(key)):
        if (*above, twin) in lines:
            return lines[*above, twin]
    return line_at(lines, path)


def _assemble(path: Path, file: ConfigFile, instance: str) -> Config:
    return Config(
        path=path,
        monitor=Monitor(**dict(file.monitor), instance=instance),
        database=file.database,
        server=file.server,
        polling=file.polling,
        sources=file.sources,
        batches=file.batches,
        receivers=file.receivers,
        routes=tuple(table.route() for table in file.routes),
    )
