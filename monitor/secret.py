"""A secret: where it is kept, read only when it is used, and never shown."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from pydantic import AfterValidator
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_plain_validator_function

from monitor import descriptors
from monitor.core.errors import DescriptorsError, SecretMalformedError, SecretMissingError

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """Know where a secret is kept; read it only when it is used. Its repr shows no value."""

    name: str
    """The key in the file, to name it in errors."""
    value: str | None = field(default=None, repr=False)
    env: str | None = None
    file: str | None = None
    check: Callable[[str], object] | None = field(default=None, repr=False, compare=False)
    """Raises ValueError, which never shows it, for a value that is no secret of this kind."""

    def checked_by(self, check: Callable[[str], object]) -> "Secret":
        """Return it with the rule of its kind; raise ValueError if the file itself breaks it."""
        if self.value is not None:
            check(self.value)
        return replace(self, check=check)

    def read(self) -> str:
        """Return the secret, stripped; raise SecretMissingError when it is not there, or not one.

        No secret of ours holds a line break: a file with two lines holds something else.
        Raises SecretMalformedError for one that breaks the rule of its kind, and DescriptorsError
        while no file can be opened.
        """
        if self.value is not None:
            return self.value
        if self.file is not None:
            found, problem = _read_file(self.file)
        else:
            found = os.environ.get(self.env or "", "").strip()
            problem = f"the environment variable {self.env} is not set"
        place = f"the file {self.file}" if self.file else f"the environment variable {self.env}"
        held = f"what {place} holds" if self.file else f"the value of {place}"
        if found and not found.isprintable():
            found, problem = "", f"{place} holds more than one line, or control characters"
        if not found:
            raise SecretMissingError(f"{self.name}: {problem}")
        try:
            if self.check is not None:
                self.check(found)
        except ValueError as error:
            raise SecretMalformedError(f"{self.name}: {held} {error}") from None
        return found

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> CoreSchema:
        return no_info_plain_validator_function(_accept_secret)


def rule(check: Callable[[str], object]) -> AfterValidator:
    """Return what gives a key of the config the rule of its kind."""
    return AfterValidator(lambda secret: secret.checked_by(check))


def _accept_secret(value: object) -> Secret:
    """Take the secret, or raise the mistake that gathering found: here it hides no other one."""
    if isinstance(value, Secret):
        return value
    raise value if isinstance(value, ValueError) else ValueError("must be a text")


def _read_file(path: str) -> tuple[str, str]:
    try:
        return Path(path).read_text(encoding="utf-8").strip(), f"the file {path} is empty"
    except OSError as error:
        if descriptors.is_shortage(error):
            raise DescriptorsError from error
        reason = error.strerror
    except ValueError:
        reason = "its name holds a NUL" if "\0" in path else "it is not UTF-8 text"
    return "", f"the file {path} cannot be read: {reason}"


def twins_of(name: str) -> tuple[str, str, str]:
    """Return the keys of which exactly one may say where the secret `name` is."""
    return name, f"{name}_env", f"{name}_file"


def take_secret(table: dict[str, Any], name: str, *, folder: Path | None) -> Secret | None:
    """Take `name`, `name_env` and `name_file` out of a table; return the secret they describe.

    Raises ValueError when more than one is given or one is not a non-empty string.
    """
    twins = {key: table.pop(key) for key in twins_of(name) if key in table}
    if not twins:
        return None
    if len(twins) > 1:
        raise ValueError(f"give exactly one of {', '.join(twins)}")
    ((key, value),) = twins.items()
    if isinstance(value, Secret | None):
        return value  # a table that was parsed before
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{key} must be a text that is not empty")
    if key == name:
        return Secret(name=name, value=value.strip())
    if key == f"{name}_env":
        if not _VARIABLE.fullmatch(value):
            raise ValueError(f"{key} must be the name of an environment variable, not the secret")
        return Secret(name=name, env=value)
    return Secret(name=name, file=str((folder or Path()) / value))
