"""Field types that the settings of sources, receivers and the daemon share."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ValidationInfo,
    model_validator,
)

from monitor.core.errors import SecretMissingError
from monitor.core.event import MATCHER_NAMES

_UNITS: Final = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
_DURATION: Final = re.compile(r"(?:[0-9]{1,9}(?:ms|s|m|h|d))+")
_DURATION_PART: Final = re.compile(r"([0-9]+)(ms|s|m|h|d)")


def parse_duration(value: object) -> timedelta:
    """Read `500ms`, `30s`, `5m`, `1h30m` or `7d`; raise ValueError for anything else."""
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        raise ValueError('must be a duration such as "500ms", "30s", "5m", "1h30m" or "7d"')
    parts = _DURATION_PART.findall(value)
    return sum((int(number) * _UNITS[unit] for number, unit in parts), timedelta())


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta():
        raise ValueError("must be longer than zero")
    return value


Duration = Annotated[timedelta, BeforeValidator(parse_duration), AfterValidator(_positive)]


def _parse_rate(value: object) -> float:
    match = re.fullmatch(r"([1-9][0-9]{0,8})/(s|min|h)", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('must be a rate such as "10/s", "1000/min" or "5000/h"')
    return int(match[1]) / {"s": 1, "min": 60, "h": 3600}[match[2]]


Rate = Annotated[float, BeforeValidator(_parse_rate)]
"""Requests per second, written as `1000/min`."""

NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def _check_labels(labels: dict[str, str]) -> dict[str, str]:
    check_labels(labels)
    return labels


def check_labels(labels: Mapping[str, str]) -> None:
    """Raise ValueError for labels that matchers could not tell apart or that are too large."""
    if len(labels) > 32:
        raise ValueError("at most 32 labels are allowed")
    for name, value in labels.items():
        if not NAME.fullmatch(name):
            raise ValueError(
                f"{name!r} is no label name: use a-z, 0-9, _ and -, at most 63 characters"
            )
        if name in MATCHER_NAMES:
            raise ValueError(f"{name!r} cannot be a label: matchers use that name themselves")
        if len(value) > 256 or not value.isprintable():
            raise ValueError(
                f"the value of label {name!r} must be printable, at most 256 characters"
            )


Labels = Annotated[dict[str, str], AfterValidator(_check_labels)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """Know where a secret is kept; read it only when it is used. Its repr shows no value."""

    name: str
    """The key in the file, to name it in errors."""
    value: str | None = field(default=None, repr=False)
    env: str | None = None
    file: str | None = None

    def read(self) -> str:
        """Return the secret, stripped; raise SecretMissingError when it is not there."""
        if self.value is not None:
            return self.value
        if self.file is not None:
            found, problem = _read_file(self.file)
        else:
            found = os.environ.get(self.env or "", "").strip()
            problem = f"the environment variable {self.env} is not set"
        if not found:
            raise SecretMissingError(f"{self.name}: {problem}")
        return found


def _read_file(path: str) -> tuple[str, str]:
    try:
        return Path(path).read_text(encoding="utf-8").strip(), f"the file {path} is empty"
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        return "", f"the file {path} cannot be read: {reason}"


class Settings(BaseModel):
    """Parse one table of the config file; each secret `x` has the twins `x_env` and `x_file`.

    The validation context may hold `folder`: the config file's, from which relative secret files
    are looked up.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, arbitrary_types_allowed=True, hide_input_in_errors=True
    )
    secrets: ClassVar[tuple[str, ...]] = ()

    @model_validator(mode="before")
    @classmethod
    def _fold_secrets(cls, data: Any, info: ValidationInfo) -> Any:
        if not isinstance(data, dict):
            return data
        folded = dict(data)
        for name in cls.secrets:
            secret = take_secret(folded, name, folder=(info.context or {}).get("folder"))
            if secret is not None:
                folded[name] = secret
        return folded

    def held_secrets(self) -> list[Secret]:
        """List the secrets of this table, so that all missing ones can be named at once."""
        held = (getattr(self, name) for name in self.secrets)
        return [secret for secret in held if secret is not None]


def take_secret(table: dict[str, Any], name: str, *, folder: Path | None) -> Secret | None:
    """Take `name`, `name_env` and `name_file` out of a table; return the secret they describe.

    Raises ValueError when more than one is given or one is not a non-empty string.
    """
    twins = {key: table.pop(key) for key in (name, f"{name}_env", f"{name}_file") if key in table}
    if not twins:
        return None
    if len(twins) > 1:
        raise ValueError(f"give exactly one of {', '.join(twins)}")
    key, value = next(iter(twins.items()))
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{key} must be a text that is not empty")
    if key == name:
        return Secret(name=name, value=value.strip())
    if key.endswith("_env"):
        return Secret(name=name, env=value)
    return Secret(name=name, file=str((folder or Path()) / value))
