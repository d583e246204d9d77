"""The starter: the config file that `monitor init` writes."""

import base64
import os
import secrets
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import Final

from monitor.core.errors import ConfigError

_PLACEHOLDER: Final = "{webhook_secret}"


def write_starter(path: Path) -> None:
    """Write the starter with a fresh webhook secret, for its owner alone; never overwrite.

    Raises ConfigError that names the file.
    """
    template = files("monitor.config").joinpath("starter.toml").read_text(encoding="utf-8")
    text = template.replace(_PLACEHOLDER, fresh_webhook_secret())
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigError(
            [f"{path}: exists already and is never overwritten; name another path or remove it"]
        ) from None
    except OSError as error:
        raise ConfigError([f"{path}: cannot be written: {error.strerror}"]) from error
    _fill(path, handle, text)


def fresh_webhook_secret() -> str:
    """Return a new secret as Standard Webhooks writes it: `whsec_` and base64 of 32 bytes."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def _fill(path: Path, handle: int, text: str) -> None:
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        with suppress(OSError):
            path.unlink()
        raise ConfigError([f"{path}: cannot be written: {error.strerror}"]) from error
