"""What all receivers share that are reached by HTTP: settings, a client, a failure to ask."""

from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Final

from monitor.core.delivery import Verdict, VerdictKind
from monitor.core.errors import NetworkError, SecretMalformedError, SecretMissingError
from monitor.net.tls import tls_context
from monitor.setting_types import CaFile, Settings, has_dot_segments, split_url
from monitor.sinks.kept_text import READ_LIMIT

if TYPE_CHECKING:
    from monitor.net.http import HttpClient

KEEPALIVE: Final = timedelta(seconds=4)
"""Shorter than most servers': a reused POST connection that they close is a failed attempt."""


class HttpReceiverSettings(Settings):
    """Parse what the tables of all receivers share that are reached by HTTP."""

    slots: ClassVar[int]
    """Requests at a time."""

    allow_http: bool = False
    """Allow `http://`: events are then sent unencrypted."""
    allow_private: bool = False
    """Allow loopback and private addresses."""
    ca_file: CaFile | None = None
    """PEM file of the certificates to trust instead of the system's."""


def open_client(settings: HttpReceiverSettings, *, success_waits: timedelta) -> "HttpClient":
    """Return a receiver's client; raise ConfigError if its CA file cannot be used.

    Any answer counts from its head on; the body of a 2xx is waited for so long.
    """
    from monitor.net.http import HttpClient  # a quarter of a command's start: few need it

    return HttpClient(
        tls=tls_context(settings.ca_file),
        allow_private=settings.allow_private,
        keepalive=KEEPALIVE,
        body_limit=READ_LIMIT,
        success_waits=success_waits,
        connections=settings.slots,
    )


def verdict_without_answer(error: SecretMissingError | NetworkError) -> Verdict:
    """Return the verdict on an attempt that brought no answer: it holds the receiver."""
    if isinstance(error, NetworkError):
        return Verdict(kind=VerdictKind.HOLD, error=error.kind.value, reason=error.reason)
    word = "secret_malformed" if isinstance(error, SecretMalformedError) else "secret_missing"
    return Verdict(kind=VerdictKind.HOLD, error=word)


def check_url(
    url: str, *, allow_http: bool, example: str = "https://example.com/hooks/batches"
) -> str:
    """Return the URL; raise ValueError, which never shows it, for one unfit to be called."""
    parts = split_url(url, allow_http=allow_http, example=example, refused=' \\"<>')
    if "@" in parts.netloc or "#" in url:
        raise ValueError("must hold no user, password or fragment")
    if has_dot_segments(parts.path):
        raise ValueError("must hold no dot segments, such as /../ or /%2e%2e/")
    return url
