"""The name of a failed request: foreign errors in, our kinds out."""

import ssl
from collections.abc import Iterator
from typing import Final

import aiohttp
import httpx
from aiohttp.http_exceptions import HttpProcessingError

from monitor import descriptors
from monitor.core.errors import NetworkKind
from monitor.net.guard import AddressForbiddenError
from monitor.net.redact import printable

FAILURES: Final = (
    aiohttp.ClientError,
    HttpProcessingError,
    httpx.HTTPError,
    OSError,
    TimeoutError,
    ValueError,  # an URL or header that cannot be sent, a name that IDNA refuses
)
"""All that the transport raises."""

_KINDS: Final = (
    (aiohttp.ClientConnectorDNSError, NetworkKind.DNS),
    (aiohttp.ClientConnectorCertificateError, NetworkKind.TLS),
    (aiohttp.ClientSSLError, NetworkKind.TLS_HANDSHAKE),
    (ssl.SSLError, NetworkKind.TLS_HANDSHAKE),
    (aiohttp.ClientConnectorError, NetworkKind.CONNECT),
    (aiohttp.ClientConnectionError, NetworkKind.DISCONNECTED),
    (aiohttp.ClientPayloadError, NetworkKind.DISCONNECTED),
    (TimeoutError, NetworkKind.TIMEOUT),
    (OSError, NetworkKind.DISCONNECTED),
)
"""The first that fits counts: each stands before what it derives from."""
_BEFORE: Final = frozenset({NetworkKind.CONNECT, NetworkKind.DNS})
"""Those before there was a connection."""
_REASON_LIMIT: Final = 160
_TLS_BY_VERIFICATION: Final = {
    9: NetworkKind.TLS_EXPIRED,  # X509_V_ERR_CERT_NOT_YET_VALID
    10: NetworkKind.TLS_EXPIRED,  # X509_V_ERR_CERT_HAS_EXPIRED
    62: NetworkKind.TLS_WRONG_NAME,  # X509_V_ERR_HOSTNAME_MISMATCH
    64: NetworkKind.TLS_WRONG_NAME,  # X509_V_ERR_IP_ADDRESS_MISMATCH
}
"""By OpenSSL's code for a certificate that it does not trust (x509_vfy.h)."""
_TLS_BY_REASON: Final = {
    "TLSV1_ALERT_PROTOCOL_VERSION": NetworkKind.TLS_OLD_PROTOCOL,
    "UNSUPPORTED_PROTOCOL": NetworkKind.TLS_OLD_PROTOCOL,
    "WRONG_SSL_VERSION": NetworkKind.TLS_OLD_PROTOCOL,
    "HTTP_REQUEST": NetworkKind.TLS_PLAIN_HTTP,
    "PACKET_LENGTH_TOO_LONG": NetworkKind.TLS_PLAIN_HTTP,
    "RECORD_LAYER_FAILURE": NetworkKind.TLS_PLAIN_HTTP,  # OpenSSL 3.2 and newer
    "WRONG_VERSION_NUMBER": NetworkKind.TLS_PLAIN_HTTP,
    "SSLV3_ALERT_BAD_CERTIFICATE": NetworkKind.TLS_CLIENT_CERTIFICATE,  # Go's, in TLS 1.2
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": NetworkKind.TLS_CLIENT_CERTIFICATE,
    "TLSV1_ALERT_UNKNOWN_CA": NetworkKind.TLS_CLIENT_CERTIFICATE,
    "TLSV1_UNRECOGNIZED_NAME": NetworkKind.TLS_WRONG_NAME,  # nginx's, for a host that it has not
}
"""By OpenSSL's name for what went wrong, an alert of the other side among them; the most common
one, `handshake_failure`, says nothing."""


def kind_of(error: Exception) -> NetworkKind:
    """Name the kind of failure that an error of the transport stands for.

    The transport calls refused, DNS, TLS, reset and guard alike `ConnectTimeout`; the error under
    it distinguishes them.
    """
    causes = list(_causes(error))
    if any(isinstance(cause, AddressForbiddenError) for cause in causes):
        return NetworkKind.ADDRESS
    if any(map(descriptors.is_shortage, causes)):
        return NetworkKind.DESCRIPTORS
    if named := next(filter(None, map(_kind_of_tls, causes)), None):
        return named
    if isinstance(error, httpx.HTTPError):
        causes = causes[1:] or causes
    fitting = (kind for known, kind in _KINDS if isinstance(causes[0], known))
    kind = next(fitting, NetworkKind.PROTOCOL)
    # a look-up without descriptors says that there is no such name, or that nobody answered
    return NetworkKind.DESCRIPTORS if kind in _BEFORE and descriptors.are_out() else kind


def tls_reason_of(error: Exception) -> str | None:
    """Return what OpenSSL says of a failed handshake: a phrase of its own, and a host of ours."""
    for cause in _causes(error):  # aiohttp's own are SSLErrors, too, and say nothing
        if isinstance(cause, ssl.SSLError):
            said = getattr(cause, "verify_message", None) or getattr(cause, "reason", None)
            if said:
                return printable(str(said).lower().replace("_", " "))[:_REASON_LIMIT]
    return None


def _kind_of_tls(error: BaseException) -> NetworkKind | None:
    """Name what OpenSSL says, if there is a name for it; aiohttp's errors say nothing of it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _TLS_BY_VERIFICATION.get(getattr(error, "verify_code", 0))
    if isinstance(error, ssl.SSLError):
        return _TLS_BY_REASON.get(getattr(error, "reason", None) or "")
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__
