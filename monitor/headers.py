"""The headers that a table of the config adds to every request; each value may be a secret."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, ValidationInfo

from monitor.secret import Secret, take_secret

HEADERS_LIMIT: Final = 32

_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OURS: Final = re.compile(
    r"accept-encoding|connection|content-.*|expect|host|keep-alive|proxy-.*|te|trailer"
    r"|transfer-encoding|upgrade|user-agent|webhook-.*"
)
_VALUE: Final = re.compile(r"[\t\x20-\x7e]*")


def check_header_value(value: str) -> None:
    """Raise ValueError, which never shows it, for what no header can carry."""
    if not _VALUE.fullmatch(value):
        raise ValueError("must be ASCII text on one line, without control characters")


def _parse_headers(table: Any, info: ValidationInfo) -> dict[str, Secret]:
    if not isinstance(table, Mapping) or not all(isinstance(key, str) for key in table):
        raise ValueError('must be a table such as { "X-Token_env" = "CRM_TOKEN" }')
    left = dict(table)
    headers: dict[str, Secret] = {}
    for key in table:
        name = re.sub(r"_(env|file)\Z", "", key)
        try:
            _check_name(name, taken=headers)
            secret = take_secret(left, name, folder=(info.context or {}).get("folder"))
            if secret is not None:
                headers[name] = secret.checked_by(check_header_value)
        except ValueError as error:
            raise ValueError(f"header {name!r}: {error}") from None
    if len(headers) > HEADERS_LIMIT:
        raise ValueError(f"at most {HEADERS_LIMIT} headers are allowed")
    return headers


def _check_name(name: str, *, taken: Mapping[str, Secret]) -> None:
    if len(name) > 128 or not _TOKEN.fullmatch(name):
        raise ValueError("is no name of an HTTP header")
    if _OURS.fullmatch(name.lower()):
        raise ValueError("is set by the monitor and cannot be changed")
    if name.lower() in {other.lower() for other in taken}:
        raise ValueError("is given twice")


Headers = Annotated[dict[str, Secret], BeforeValidator(_parse_headers)]
"""`{ "X-Team" = "ops", "X-Token_env" = "CRM_TOKEN", "X-Key_file" = "/run/key" }`."""
