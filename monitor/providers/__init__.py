"""Providers: what a voice-AI company's API says, in our words."""

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Final

from pydantic import Field

from monitor.net.answer import Answer
from monitor.net.room import Room
from monitor.net.tls import tls_context
from monitor.providers.api import Api
from monitor.providers.bolna import Bolna, BolnaSettings
from monitor.providers.generic import Generic
from monitor.providers.generic_settings import GenericSettings
from monitor.providers.vogent import Vogent, VogentSettings
from monitor.setting_types import MIB

SourceSettings = Annotated[
    BolnaSettings | VogentSettings | GenericSettings, Field(discriminator="provider")
]
"""One `[sources.NAME]` table."""

KEEPALIVE: Final = timedelta(seconds=75)
"""Longer than a usual interval: no TLS handshake per poll."""

BODY_LIMIT: Final = MIB
"""In bytes; the documented answers of Bolna and Vogent have under 500."""
ROOM: Final = Room(64 * MIB)
"""For the answers of all sources together."""


def build(
    settings: SourceSettings,
    *,
    deadline: timedelta,
    connections: int = 100,
    on_answer: Callable[[Answer], object] | None = None,
) -> Bolna | Vogent | Generic:
    """Return the provider of one source; `deadline` bounds each of its requests.

    `connections` bounds how many it makes at a time; `on_answer` sees every answer as it came. The
    key is read with the first poll. Raises ConfigError if the CA file cannot be used.
    """
    import anyio.to_process  # noqa: F401 (else all would wait for it at the first large answer)

    from monitor.net.http import HttpClient  # a quarter of a command's start: few need it

    client = HttpClient(
        tls=tls_context(settings.ca_file),
        allow_private=settings.allow_private,
        keepalive=KEEPALIVE,
        body_limit=getattr(settings, "answer_limit", BODY_LIMIT),
        room=ROOM,
        connections=connections,
    )
    api = Api(
        client=client,
        base_url=settings.base_url,
        read_auth=settings.read_auth,
        deadline=deadline,
        on_answer=on_answer,
    )
    match settings:
        case BolnaSettings():
            return Bolna(api, settings.discover)
        case VogentSettings():
            return Vogent(api, settings)
        case GenericSettings():
            return Generic(api, settings)


__all__ = ["BolnaSettings", "GenericSettings", "SourceSettings", "VogentSettings", "build"]
