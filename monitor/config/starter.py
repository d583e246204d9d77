"""The starter: the config file that `monitor init` writes, whole or of the tables asked for."""

import base64
import os
import re
import secrets
from collections.abc import Iterable
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import Final

from monitor.core.errors import ConfigError

PROVIDERS: Final = ("bolna", "vogent", "generic")
_PLACEHOLDER: Final = "{webhook_secret}"
_DISCOVERY: Final = re.compile(
    r"^(?:discover = .*|\[sources\.\S+\.discover\].*(?:\n.*)*)", re.MULTILINE
)
"""In the text of a source's tables: a line, or a table, which is the last."""
_VARIABLE: Final = re.compile(r'^[^#\n]*_env"? = "(\w+)"', re.MULTILINE)
_HEAD: Final = (
    "# Written by `monitor init`. Every key there is: docs/configuration.md.\n"
    "# `monitor check-config` says what is wrong or missing, and what comes next.\n"
    '\n[database]\nurl = "sqlite:///monitor.db"  # beside this file; or postgresql://HOST/NAME\n'
)


def write_starter(path: Path, text: str | None = None) -> None:
    """Write a starter, else the whole one, for its owner alone; never overwrite.

    Raises ConfigError that names the file.
    """
    text = whole_starter() if text is None else text
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigError(
            [f"{path}: exists already and is never overwritten; name another path or remove it"]
        ) from None
    except OSError as error:
        raise ConfigError([f"{path}: cannot be written: {error.strerror}"]) from error
    _fill(path, handle, text)


def whole_starter() -> str:
    """Return a starter with a bit of everything, and a fresh webhook secret."""
    return _with_secret(files("monitor.config").joinpath("starter.toml").read_text("utf-8"))


def starter_of(provider: str | None, *, discover: bool, receivers: Iterable[str]) -> str:
    """Return a starter with one source, or none, and receivers of these kinds, with their routes.

    Discovery that nobody asks for is there as a comment. Raises ValueError for a provider, or a
    recipe, that there is not, and for one without a list to discover from.
    """
    parts = [_HEAD]
    if provider is not None:
        parts.append(_source(provider, discover=discover))
    parts += map(_table, receivers)
    return _with_secret("\n".join(parts))


def variables_in(text: str) -> list[str]:
    """Return the environment variables from which a starter takes its secrets."""
    return list(dict.fromkeys(_VARIABLE.findall(text)))


def recipes() -> dict[str, Path]:
    """Find the recipes by name: inside the package in a wheel, beside it in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "recipes"
    folder = inside if inside.is_dir() else package.parent / "deploy" / "recipes"
    return {path.stem: path for path in sorted(folder.glob("*.toml"), key=lambda path: path.stem)}


def fresh_webhook_secret() -> str:
    """Return a new secret as Standard Webhooks writes it: `whsec_` and base64 of 32 bytes."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def _source(provider: str, *, discover: bool) -> str:
    found = recipes()
    if provider not in (*PROVIDERS, *found):
        raise ValueError(f"{provider!r} is not one of {', '.join((*PROVIDERS, *found))}")
    text = _table(provider) if provider in PROVIDERS else found[provider].read_text("utf-8")
    if not discover:
        return _DISCOVERY.sub(_comment_out, text)
    if not _DISCOVERY.search(text):
        raise ValueError(f"{provider} has no list to discover batches from: leave --discover out")
    return text


def _comment_out(found: re.Match[str]) -> str:
    return re.sub("^(?=.)", "# ", found[0], flags=re.MULTILINE)


def _table(name: str) -> str:
    return files("monitor.config").joinpath("tables", f"{name}.toml").read_text("utf-8")


def _with_secret(text: str) -> str:
    return text.replace(_PLACEHOLDER, fresh_webhook_secret())


def _fill(path: Path, handle: int, text: str) -> None:
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        with suppress(OSError):
            path.unlink()
        raise ConfigError([f"{path}: cannot be written: {error.strerror}"]) from error
