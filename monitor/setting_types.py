"""Field types that the settings of sources, receivers and the daemon share."""

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainValidator,
    ValidationInfo,
    model_validator,
)

from monitor.core.event import MATCHER_NAMES
from monitor.secret import Secret, take_secret, twins_of

_UNITS: Final = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
LONGEST_DURATION: Final = "36500d"
_DURATION: Final = re.compile(r"(?:[0-9]{1,9}(?:ms|s|m|h|d))+")
_DURATION_PART: Final = re.compile(r"([0-9]+)(ms|s|m|h|d)")


def parse_duration(value: object) -> timedelta:
    """Read `500ms`, `30s`, `5m`, `1h30m` or `7d`; raise ValueError for anything else."""
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        raise ValueError('must be a duration such as "500ms", "30s", "5m", "1h30m" or "7d"')
    parts = _DURATION_PART.findall(value)
    try:
        return sum((int(number) * _UNITS[unit] for number, unit in parts), timedelta())
    except OverflowError:
        raise ValueError("is longer than any time we can count") from None


def write_duration(value: timedelta) -> str:
    """Write a duration as the file does: `30s`, `1h30m`."""
    rest = value // timedelta(milliseconds=1)
    written = ""
    for unit, size in reversed(_UNITS.items()):
        count, rest = divmod(rest, size // timedelta(milliseconds=1))
        written += f"{count}{unit}" if count else ""
    return written or "0s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Keep a duration between two others, written as the file writes them."""

    shortest: str
    longest: str

    def __call__(self, value: timedelta) -> timedelta:
        if not parse_duration(self.shortest) <= value <= parse_duration(self.longest):
            raise ValueError(f'must be from "{self.shortest}" to "{self.longest}"')
        return value


def duration_between(shortest: str, longest: str) -> AfterValidator:
    """Return the check that a duration keeps these bounds."""
    return AfterValidator(Bounds(shortest=shortest, longest=longest))


Span = Annotated[timedelta, BeforeValidator(parse_duration)]
"""A duration whose bounds are yet to be told: those that fail are the ones to be named."""

Duration = Annotated[Span, duration_between("1ms", LONGEST_DURATION)]

INTERVAL_BOUNDS: Final = Bounds(shortest="10ms", longest=LONGEST_DURATION)
Interval = Annotated[Span, AfterValidator(INTERVAL_BOUNDS)]

OFF: Final = "off"


def _parse_patience(value: object) -> timedelta | Literal["off"]:
    try:
        return OFF if value == OFF else INTERVAL_BOUNDS(parse_duration(value))
    except ValueError as error:
        raise ValueError(f'{error}; "off" is never') from None


Patience = Annotated[timedelta | Literal["off"], PlainValidator(_parse_patience)]
"""How long something may last until it is told; `"off"`: for ever."""


def parse_rate(value: object) -> float:
    match = re.fullmatch(r"([1-9][0-9]{0,8})/(s|min|h)", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('must be a rate such as "10/s", "1000/min" or "5000/h"')
    return int(match[1]) / {"s": 1, "min": 60, "h": 3600}[match[2]]


Rate = Annotated[float, BeforeValidator(parse_rate)]
"""Requests per second, written as `1000/min`."""

MIB: Final = 1024 * 1024
_SIZE: Final = re.compile(r"([1-9][0-9]{0,8})(KiB|MiB)")


def parse_size(value: object) -> int:
    """Read `512KiB` or `8MiB` as bytes; raise ValueError for anything else."""
    if type(value) is int:
        return value  # a table that was parsed before
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('must be a size such as "512KiB" or "8MiB"')
    return int(match[1]) * (1024 if match[2] == "KiB" else MIB)


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeBounds:
    """Keep a size between two others, written as the file writes them."""

    least: str
    most: str

    def __call__(self, value: int) -> int:
        if not parse_size(self.least) <= value <= parse_size(self.most):
            raise ValueError(f'must be from "{self.least}" to "{self.most}"')
        return value


def size_between(least: str, most: str) -> AfterValidator:
    """Return the check that a size keeps these bounds."""
    return AfterValidator(SizeBounds(least=least, most=most))


Size = Annotated[int, BeforeValidator(parse_size)]
"""In bytes, written as `8MiB`."""

NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
LABELS_LIMIT: Final = 32
_DOT_SEGMENT: Final = re.compile(r"/(?:\.|%2e){1,2}(?=/|$)", re.IGNORECASE)


def split_url(url: str, *, allow_http: bool, example: str, refused: str) -> SplitResult:
    """Split a URL; raise ValueError, which never shows it, for one that nobody can call.

    `refused` are characters that it may not hold, beside those that are not ASCII.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if not host or port == 0 or not url.isascii() or not url.isprintable() or {*refused} & {*url}:
        raise ValueError(f'must be a URL such as "{example}"')
    if parts.scheme != "https" and not (parts.scheme == "http" and allow_http):
        raise ValueError('must start with "https://" ("http://" needs allow_http = true)')
    return parts


def has_dot_segments(path: str) -> bool:
    """Return whether a path holds `.` or `..`, maybe encoded: who reads it may go elsewhere."""
    return _DOT_SEGMENT.search(path) is not None


def check_name(name: str) -> str:
    """Return a source's, a receiver's or a label's name; raise ValueError when it is none."""
    if not NAME.fullmatch(name):
        raise ValueError(
            "is no valid name: use a-z, 0-9, _ and -, a letter or digit first, "
            "at most 63 characters"
        )
    return name


def _check_label_name(name: str) -> str:
    if name in MATCHER_NAMES:
        raise ValueError("cannot be a label: matchers use that name themselves")
    return check_name(name)


def _check_label_value(value: str) -> str:
    if len(value) > 256 or not value.isprintable():
        raise ValueError("must be printable, at most 256 characters")
    return value


def _check_label_count(labels: dict[str, str]) -> dict[str, str]:
    if len(labels) > LABELS_LIMIT:
        raise ValueError(f"at most {LABELS_LIMIT} labels are allowed")
    return labels


Labels = Annotated[
    dict[
        Annotated[str, AfterValidator(_check_label_name)],
        Annotated[str, AfterValidator(_check_label_value)],
    ],
    AfterValidator(_check_label_count),
]


def _from_folder(value: Path, info: ValidationInfo) -> Path:
    if not str(value).isprintable():
        raise ValueError("must name a file, without control characters")
    folder: Path | None = (info.context or {}).get("folder")
    return value if folder is None else folder / value


CaFile = Annotated[Path, AfterValidator(_from_folder)]
"""Certificates to trust instead of the system's; relative to the config file's folder."""


class Settings(BaseModel):
    """Parse one table of the config file; each secret `x` has the twins `x_env` and `x_file`.

    The docstring under a key is what docs/configuration.md says of it.

    The validation context may hold `folder`: the config file's, from which relative secret files
    are looked up.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, arbitrary_types_allowed=True, hide_input_in_errors=True
    )
    secrets: ClassVar[tuple[str, ...]] = ()

    @model_validator(mode="before")
    @classmethod
    def _gather_secrets(cls, data: Any, info: ValidationInfo) -> Any:
        if not isinstance(data, dict):
            return data
        gathered = dict(data)
        for name in cls.secrets:
            try:
                secret = take_secret(gathered, name, folder=(info.context or {}).get("folder"))
            except ValueError as error:
                gathered[name] = error
                continue
            if secret is not None:
                gathered[name] = secret
            elif cls.model_fields[name].is_required():
                gathered[name] = ValueError(
                    f"is missing: one of {', '.join(twins_of(name))} must say it"
                )
        return gathered

    def held_secrets(self) -> list[Secret]:
        """List the secrets of this table, so that all missing ones can be named at once."""
        held = (getattr(self, name) for name in self.secrets)
        return [secret for secret in held if secret is not None]
