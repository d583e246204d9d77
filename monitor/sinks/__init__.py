"""Sinks: the kinds of receivers, their settings, and how one is built."""

from typing import Annotated

from pydantic import Field

from monitor.core.errors import ConfigError
from monitor.sinks.slack import SlackSettings, SlackSink
from monitor.sinks.webhook import WebhookSettings, WebhookSink

ReceiverSettings = Annotated[SlackSettings | WebhookSettings, Field(discriminator="kind")]
"""One `[receivers.NAME]` table."""


def build(name: str, settings: ReceiverSettings) -> SlackSink | WebhookSink:
    """Build the sink of one receiver; nothing connects yet. Raises ConfigError."""
    try:
        match settings:
            case SlackSettings():
                return SlackSink(settings)
            case WebhookSettings():
                return WebhookSink(settings)
    except ConfigError as error:
        raise ConfigError([f"receivers.{name}: {mistake}" for mistake in error.mistakes]) from error


__all__ = ["ReceiverSettings", "SlackSettings", "WebhookSettings", "build"]
