"""Headers and query parameters that a table adds to every request; each value may be a secret."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, ValidationInfo

from monitor.secret import Secret, take_secret

HEADERS_LIMIT: Final = 32
"""Of query parameters, too."""

_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OURS: Final = re.compile(
    r"accept-encoding|connection|content-.*|expect|host|keep-alive|proxy-.*|te|trailer"
    r"|transfer-encoding|upgrade|user-agent|webhook-.*"
)
_PARAMETER: Final = re.compile(r"[A-Za-z0-9_.~\[\]$-]{1,128}")
_VALUE: Final = re.compile(r"[\t\x20-\x7e]*")


def check_header_value(value: str) -> None:
    """Raise ValueError, which never shows it, for what no header can carry."""
    if not _VALUE.fullmatch(value):
        raise ValueError("must be ASCII text on one line, without control characters")


def _parse(
    table: Any,
    info: ValidationInfo,
    *,
    noun: str,
    example: str,
    check_name: Callable[[str, Mapping[str, Secret]], None],
    check_value: Callable[[str], None],
) -> dict[str, Secret]:
    """Parse a table of values, each of which its twins may hold."""
    if not isinstance(table, Mapping) or not all(isinstance(key, str) for key in table):
        raise ValueError(f"must be a table such as {example}")
    left = dict(table)
    parsed: dict[str, Secret] = {}
    for key in table:
        name = re.sub(r"_(env|file)\Z", "", key)
        try:
            check_name(name, parsed)
            secret = take_secret(left, name, folder=(info.context or {}).get("folder"))
            if secret is not None:
                parsed[name] = secret.checked_by(check_value)
        except ValueError as error:
            raise ValueError(f"{noun} {name!r}: {error}") from None
    if len(parsed) > HEADERS_LIMIT:
        raise ValueError(f"at most {HEADERS_LIMIT} {noun}s are allowed")
    return parsed


def _check_header(name: str, taken: Mapping[str, Secret]) -> None:
    if len(name) > 128 or not _TOKEN.fullmatch(name):
        raise ValueError("is no name of an HTTP header")
    if _OURS.fullmatch(name.lower()):
        raise ValueError("is set by the monitor and cannot be changed")
    if name.lower() in {other.lower() for other in taken}:
        raise ValueError("is given twice")


def check_parameter(name: str, taken: Mapping[str, Secret] = MappingProxyType({})) -> None:
    """Raise ValueError for what is no name of a query parameter, or is given already."""
    if not _PARAMETER.fullmatch(name):
        raise ValueError("is no name of a query parameter")
    if name in taken:
        raise ValueError("is given twice")


def _check_parameter_value(value: str) -> None:
    if not value.isprintable():
        raise ValueError("must be a text on one line, without control characters")


_parse_headers: Final = partial(
    _parse,
    noun="header",
    example='{ "X-Token_env" = "CRM_TOKEN" }',
    check_name=_check_header,
    check_value=check_header_value,
)
_parse_query: Final = partial(
    _parse,
    noun="parameter",
    example='{ token_env = "API_TOKEN" }',
    check_name=check_parameter,
    check_value=_check_parameter_value,
)

Headers = Annotated[dict[str, Secret], BeforeValidator(_parse_headers)]
"""`{ "X-Team" = "ops", "X-Token_env" = "CRM_TOKEN", "X-Key_file" = "/run/key" }`."""

Query = Annotated[dict[str, Secret], BeforeValidator(_parse_query)]
"""`{ token_env = "API_TOKEN", region = "eu" }`."""
