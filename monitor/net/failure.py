"""The name of a failed request: foreign errors in, our kinds out."""

import ssl
from collections.abc import Iterator
from typing import Final

import aiohttp
import httpx

from monitor.core.errors import NetworkKind
from monitor.net.guard import AddressForbiddenError

_KINDS: Final = (
    (aiohttp.ClientConnectorDNSError, NetworkKind.DNS),
    (aiohttp.ClientSSLError, NetworkKind.TLS),
    (ssl.SSLError, NetworkKind.TLS),
    (aiohttp.ClientConnectorError, NetworkKind.CONNECT),
    (aiohttp.ClientConnectionError, NetworkKind.DISCONNECTED),
    (aiohttp.ClientPayloadError, NetworkKind.DISCONNECTED),
    (TimeoutError, NetworkKind.TIMEOUT),
    (OSError, NetworkKind.DISCONNECTED),
)
"""The first that fits counts: each stands before what it derives from."""


def kind_of(error: Exception) -> NetworkKind:
    """Name the kind of failure that an error of the transport stands for.

    The transport calls refused, DNS, TLS, reset and guard alike `ConnectTimeout`; the error under
    it tells them apart.
    """
    causes = list(_causes(error))
    if any(isinstance(cause, AddressForbiddenError) for cause in causes):
        return NetworkKind.ADDRESS
    if isinstance(error, httpx.HTTPError):
        causes = causes[1:] or causes
    fitting = (kind for known, kind in _KINDS if isinstance(causes[0], known))
    return next(fitting, NetworkKind.PROTOCOL)


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__
