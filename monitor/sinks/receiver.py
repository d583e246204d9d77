"""What the config file says of any receiver, whichever its kind."""

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, unquote_plus, urlsplit

from monitor.net.tls import tls_context
from monitor.setting_types import CaFile, Settings, has_dot_segments, split_url
from monitor.sinks.kept_text import READ_LIMIT

if TYPE_CHECKING:
    from monitor.net.http import HttpClient

KEEPALIVE: Final = timedelta(seconds=4)
"""Shorter than most servers': a reused POST connection that they close is a failed attempt."""

_SHORTEST_KEY: Final = 16
"""Shorter parts of a path are taken for plain words."""
_SHORTEST_TARGET: Final = 8
"""A shorter path or query is found in any text: hiding it would blacken the receiver's answers."""


class HttpReceiverSettings(Settings):
    """Parse what the tables of all receivers share that are reached by HTTP."""

    allow_http: bool = False
    """Allow `http://`: events then travel readable."""
    allow_private: bool = False
    """Allow loopback and private addresses."""
    ca_file: CaFile | None = None
    """PEM file of certificates to trust instead of the system's."""


def open_client(
    settings: HttpReceiverSettings, *, connections: int, success_waits: timedelta
) -> "HttpClient":
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
        connections=connections,
    )


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


def url_secrets(url: str) -> tuple[str, ...]:
    """Return the parts of a URL that must not show: its path or query may hold the key."""
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    words = [*parts.path.split("/"), *re.split("[&=]", parts.query)]
    words += [unquote_plus(word) for word in words] + [unquote(word) for word in words]
    long = (word for word in dict.fromkeys(words) if len(word) >= _SHORTEST_KEY)
    whole = (target, parts.path, parts.query)
    return (url, *(part for part in whole if len(part) >= _SHORTEST_TARGET), *long)
