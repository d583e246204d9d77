"""Every error the product raises on purpose, in one tree.

MonitorError
├── ConfigError             the file says something we cannot follow
├── SecretMissingError      a secret's environment variable or file is not there
│   └── SecretMalformedError  it is there, but no such secret
├── UnknownNameError        a source, receiver, batch or delivery that nobody knows
├── StorageError            the database could not do what was asked
│   ├── NoDatabaseError     there is none yet
│   ├── NotAdmittedError    Postgres is there, but does not let us in
│   ├── DatabaseUnfitError  Postgres is there, but cannot carry us as it is
│   ├── SchemaError         its schema is not this program's
│   ├── DatabaseLockedError another daemon holds the SQLite file
│   ├── InstanceRunningError another daemon of this name is at work on Postgres
│   ├── SourceMovedError    another daemon moved a source's health first
│   └── DataRefusedError    the database refuses these very values
├── NetworkError            a request brought no usable answer
│   └── DescriptorsError    none was made: this process may open no more files, keys included
├── PollError               one poll failed, and why
└── DemoError               the demo cannot be set up, or its daemon died
"""

from datetime import timedelta
from enum import StrEnum
from functools import partial

from monitor.core.failure import FailureKind


class MonitorError(Exception):
    """The root of all errors raised on purpose; its text is fit to show."""


class ConfigError(MonitorError):
    """Every mistake of one config file, one line each."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class SecretMissingError(MonitorError):
    """A secret that cannot be read now, and where it was looked for."""


class SecretMalformedError(SecretMissingError):
    """A secret that was found, but is none of its kind; never its value."""


class UnknownNameError(MonitorError):
    """What was asked for and what exists instead."""


class StorageError(MonitorError):
    """The database failed; the unit of work was rolled back or its outcome is unknown."""


class NoDatabaseError(StorageError):
    """There is no database yet, and where."""


class NotAdmittedError(StorageError):
    """Postgres is there, but refuses the database's name, the user or the password."""


class DatabaseUnfitError(StorageError):
    """What about a Postgres keeps us from using it, and what to do about it."""


class SchemaError(StorageError):
    """The schema found and the one this program needs."""


class DatabaseLockedError(StorageError):
    """Another daemon holds the SQLite file."""


class InstanceRunningError(StorageError):
    """The instance that another daemon is already."""


class SourceMovedError(StorageError):
    """Another daemon moved a source's health since it was read: read it again."""


class DataRefusedError(StorageError):
    """The database refuses these values, and would refuse them again."""


class NetworkKind(StrEnum):
    """How a request failed before there was an answer to judge."""

    ADDRESS = "address"  # the guard forbids it
    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"  # its certificate is not trusted
    TLS_EXPIRED = "tls_expired"  # or not valid yet
    TLS_WRONG_NAME = "tls_wrong_name"
    TLS_OLD_PROTOCOL = "tls_old_protocol"
    TLS_PLAIN_HTTP = "tls_plain_http"  # what answers does not speak TLS
    TLS_CLIENT_CERTIFICATE = "tls_client_certificate"  # it wants one
    TLS_HANDSHAKE = "tls_handshake"  # it fails, and nobody says more
    DISCONNECTED = "disconnected"  # after the request left: its outcome is unknown
    TIMEOUT = "timeout"
    PROTOCOL = "protocol"
    TOO_LARGE = "too_large"
    ENCODING = "encoding"
    DESCRIPTORS = "descriptors"  # this process may open no more files: nothing was asked
    ROOM = "room"  # other answers fill what this process holds of them at once


class NetworkError(MonitorError):
    """The kind: foreign texts hold URLs and keys.

    `reason` is what OpenSSL says of a failed handshake, or how large the answer is, in a few words
    that hold neither.
    """

    def __init__(self, kind: NetworkKind, reason: str | None = None) -> None:
        super().__init__(kind.value if reason is None else f"{kind.value}: {reason}")
        self.kind = kind
        self.reason = reason


class DescriptorsError(NetworkError):
    """This process may open no more files: no connection, nor the file of a key."""

    def __init__(self) -> None:
        super().__init__(NetworkKind.DESCRIPTORS)


class PollError(MonitorError):
    """Why one poll failed: kind, HTTP status if there was one, Retry-After if sent.

    `expression` is the key of the one that did not fit the answer; `reason` says more in a few
    words, which hold neither keys nor what a call is about; `page` is the one of a list, from 1.
    """

    def __init__(
        self,
        kind: FailureKind,
        status_code: int | None = None,
        retry_after: timedelta | None = None,
        *,
        expression: str | None = None,
        reason: str | None = None,
    ) -> None:
        name = kind.value if expression is None else f"{kind.value} {expression}"
        name = name if reason is None else f"{name}: {reason}"
        super().__init__(name if status_code is None else f"{name} ({status_code})")
        self.kind = kind
        self.status_code = status_code
        self.retry_after = retry_after
        self.expression = expression
        self.reason = reason
        self.page: int | None = None

    def because(self, reason: str) -> "PollError":
        """Return it with another reason."""
        told = (self.kind, self.status_code, self.retry_after)
        return PollError(*told, expression=self.expression, reason=reason)

    def __reduce__(self) -> tuple[object, ...]:
        """Let another process raise it."""
        more = {"expression": self.expression, "reason": self.reason}
        make = partial(PollError, self.kind, self.status_code, self.retry_after, **more)
        return make, ()

    @property
    def details(self) -> dict[str, str | int]:
        """Return what else there is to say for a line of the log."""
        named = {"expression": self.expression, "reason": self.reason, "page": self.page}
        return {name: text for name, text in named.items() if text is not None}


class DemoError(MonitorError):
    """What the demo lacks, or how its daemon ended."""
