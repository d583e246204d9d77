"""A failure: why a poll brought no reading, by which answer, and whose matter that is."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class FailureKind(StrEnum):
    """Why a poll brought no reading."""

    ADDRESS = "address"
    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    TLS_EXPIRED = "tls_expired"
    TLS_WRONG_NAME = "tls_wrong_name"
    TLS_OLD_PROTOCOL = "tls_old_protocol"
    TLS_PLAIN_HTTP = "tls_plain_http"
    TLS_CLIENT_CERTIFICATE = "tls_client_certificate"
    TLS_HANDSHAKE = "tls_handshake"
    DISCONNECTED = "disconnected"
    TIMEOUT = "timeout"
    PROTOCOL = "protocol"
    TOO_LARGE = "too_large"  # by its bytes, or by the values in it
    ENCODING = "encoding"
    DESCRIPTORS = "descriptors"
    ROOM = "room"  # other answers fill what this process holds of them at once
    UNAUTHORIZED = "unauthorized"  # 401
    FORBIDDEN = "forbidden"  # 403
    NOT_FOUND = "not_found"  # 404, 410
    REFUSED = "refused"  # 400, 422
    RATE_LIMITED = "rate_limited"  # 429
    SERVER_ERROR = "server_error"  # 5xx
    REDIRECT = "redirect"  # 3xx: never followed, the key would travel
    UNEXPECTED_STATUS = "unexpected_status"  # any other answer
    INVALID_BODY = "invalid_body"  # HTML, truncated JSON, another batch's document
    EXPRESSION = "expression"  # one of the config file does not fit the answer
    KEY_MISSING = "key_missing"  # its variable or file is not there now


class Matter(StrEnum):
    """Whose matter a failed poll is: `core/source.py` and `core/unreachable.py` judge by it."""

    BATCH = "batch"  # the account works: this batch is refused
    KEY = "key"  # the account's, at once
    EITHER = "either"  # a 403 is the key's or this batch's: only several polls decide
    PASSING = "passing"  # 429, 5xx, time-out, connection, unusable body: theirs for whom it lasts
    OURS = "ours"  # nothing was heard, for want of something of our own


_MATTERS: Final[Mapping[FailureKind, Matter]] = {
    FailureKind.NOT_FOUND: Matter.BATCH,
    FailureKind.REFUSED: Matter.BATCH,
    FailureKind.UNEXPECTED_STATUS: Matter.BATCH,
    FailureKind.TOO_LARGE: Matter.BATCH,
    FailureKind.UNAUTHORIZED: Matter.KEY,
    FailureKind.KEY_MISSING: Matter.KEY,
    FailureKind.FORBIDDEN: Matter.EITHER,
    FailureKind.DESCRIPTORS: Matter.OURS,
    FailureKind.ROOM: Matter.OURS,
}
"""All others pass."""

_STATUSES: Final[Mapping[int, FailureKind]] = {
    400: FailureKind.REFUSED,
    401: FailureKind.UNAUTHORIZED,
    403: FailureKind.FORBIDDEN,
    404: FailureKind.NOT_FOUND,
    408: FailureKind.TIMEOUT,
    410: FailureKind.NOT_FOUND,
    422: FailureKind.REFUSED,
    429: FailureKind.RATE_LIMITED,
}

REFUSALS: Final = frozenset({FailureKind.NOT_FOUND, FailureKind.REFUSED, FailureKind.FORBIDDEN})
"""By which a provider refuses a batch."""


def matter_of(kind: FailureKind) -> Matter:
    """Return whose matter a failure is."""
    return _MATTERS.get(kind, Matter.PASSING)


def kind_of_status(code: int) -> FailureKind:
    """Return what an HTTP status that brings no document means."""
    match code // 100:
        case 3:
            return FailureKind.REDIRECT
        case 5:
            return FailureKind.SERVER_ERROR
        case _:
            return _STATUSES.get(code, FailureKind.UNEXPECTED_STATUS)
