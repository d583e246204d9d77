"""Providers: what a voice-AI company's API says, in our words."""

from datetime import timedelta
from typing import Annotated, Final, assert_never

from pydantic import Field

from monitor.net.http import HttpClient, tls_context
from monitor.providers.api import Api
from monitor.providers.bolna import Bolna, BolnaSettings
from monitor.providers.vogent import Vogent, VogentSettings

SourceSettings = Annotated[BolnaSettings | VogentSettings, Field(discriminator="provider")]
"""One `[sources.NAME]` table."""

KEEPALIVE: Final = timedelta(seconds=75)
"""Longer than a usual interval: no TLS handshake per poll."""

BODY_LIMIT: Final = 2 * 1024 * 1024
"""In bytes; the documented answers have under 500."""


def build(
    settings: BolnaSettings | VogentSettings, *, deadline: timedelta, connections: int = 100
) -> Bolna | Vogent:
    """Return the provider of one source; `deadline` bounds each of its requests.

    `connections` bounds how many it makes at a time. The key is read with the first poll. Raises
    ConfigError if the CA file cannot be used.
    """
    client = HttpClient(
        tls=tls_context(settings.ca_file),
        allow_private=settings.allow_private,
        keepalive=KEEPALIVE,
        body_limit=BODY_LIMIT,
        connections=connections,
    )
    api = Api(client, base_url=settings.base_url, api_key=settings.api_key, deadline=deadline)
    match settings:
        case BolnaSettings():
            return Bolna(api)
        case VogentSettings():
            return Vogent(api)
        case _:
            assert_never(settings)


__all__ = ["BolnaSettings", "SourceSettings", "VogentSettings", "build"]
