"""TLS: the one context for a CA file, or for the system's authorities."""

import ssl
from functools import lru_cache
from pathlib import Path

from monitor.core.errors import ConfigError


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Return the one context for a CA file as it is now, or for the system's authorities.

    Raises ConfigError if the file cannot be used.
    """
    try:
        renewed_at = ca_file.stat().st_mtime_ns if ca_file else 0
    except OSError as error:
        raise ConfigError([f"the CA file {ca_file} cannot be used: {error.strerror}"]) from error
    return _tls_context(ca_file, renewed_at)


@lru_cache(maxsize=64)
def _tls_context(ca_file: Path | None, _renewed_at: int) -> ssl.SSLContext:
    paths = ssl.get_default_verify_paths()
    try:
        if ca_file or paths.cafile or paths.capath:
            context = ssl.create_default_context(cafile=ca_file)
        else:
            context = _certifi()
    except OSError as error:  # an SSLError is one
        broken = isinstance(error, ssl.SSLError)
        reason = "it holds no usable certificate" if broken else error.strerror
        raise ConfigError([f"the CA file {ca_file} cannot be used: {reason}"]) from error
    if ca_file is not None:
        # Python 3.13 asks for more than many private authorities fill in (a key identifier, say);
        # whoever names one trusts it as it is
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.set_alpn_protocols(["http/1.1"])
    return context


def _certifi() -> ssl.SSLContext:
    """Return a context with certifi's authorities, where the system has none."""
    import httpx  # takes a while to load, and hardly anybody needs it here

    return httpx.create_ssl_context()
