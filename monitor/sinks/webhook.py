"""The webhook sink: Standard Webhooks 1.0 or CloudEvents to any URL, signed."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, ValidationInfo, field_validator

from monitor.core.delivery import SCHEDULE, Delivery, Verdict, VerdictKind, verdict_on
from monitor.core.errors import NetworkError, SecretMissingError
from monitor.headers import Headers
from monitor.net.retry_after import parse_retry_after
from monitor.secret import Secret, rule
from monitor.setting_types import Duration, Span, duration_between
from monitor.sinks.kept_text import kept_text, url_secrets
from monitor.sinks.receiver import (
    HttpReceiverSettings,
    check_url,
    open_client,
    verdict_without_answer,
)
from monitor.sinks.signature import parse_keys, sign

_CONTENT_TYPES: Final = {
    "standard": "application/json",
    "cloudevents": "application/cloudevents+json",
}
_SUCCESS_WAITS: Final = timedelta(seconds=1)
"""For the end of a 2xx, that its connection can be used again; nothing else depends on it."""


class WebhookSettings(HttpReceiverSettings):
    """Parse the table of a webhook receiver."""

    secrets: ClassVar[tuple[str, ...]] = ("secret",)
    slots: ClassVar[int] = 8
    spacing: ClassVar[timedelta] = timedelta()
    """Shortest time from one request to the next."""

    kind: Literal["webhook"]
    """Which kind of receiver this is."""
    url: str = Field(repr=False)  # after allow_http, which its check asks for
    """The URL that events are posted to; redirects are never followed."""
    secret: Annotated[Secret, rule(parse_keys)]
    """The signing key: `whsec_` and base64 of 24 to 64 bytes. Several keys, separated by spaces,
    each add a signature (for rotation)."""
    format: Literal["standard", "cloudevents"] = "standard"
    """`cloudevents` sends `content-type: application/cloudevents+json`; the body is the same."""
    timeout: Annotated[Span, duration_between("1s", "60s")] = timedelta(seconds=15)
    """Time limit of one attempt, from connect to the end of the answer."""
    headers: Headers = Field(default_factory=dict)
    """Headers to add to every request; `NAME_env` and `NAME_file` read a value from a variable or
    file. At most 32; `host`, `content-*`, `webhook-*` and the like are set by the monitor."""
    retry_schedule: Annotated[tuple[Duration, ...], Field(min_length=1, max_length=20)] = SCHEDULE
    """Waits between the attempts at a delivery that the receiver refuses; each wait varies by ±20
    %."""

    @property
    def schedule(self) -> tuple[timedelta, ...]:
        """Return the waits between the attempts at one delivery."""
        return self.retry_schedule

    def held_secrets(self) -> list[Secret]:
        """List the secrets of this table, those of the headers too."""
        return [self.secret, *self.headers.values()]

    @field_validator("url")
    @classmethod
    def _check_url(cls, value: str, info: ValidationInfo) -> str:
        return check_url(value, allow_http=bool(info.data.get("allow_http")))


class WebhookSink:
    """Send deliveries to one webhook receiver."""

    def __init__(self, settings: WebhookSettings) -> None:
        self._settings = settings
        self._content_type = _CONTENT_TYPES[settings.format]
        self._url_secrets = url_secrets(settings.url)
        self._client = open_client(settings, success_waits=_SUCCESS_WAITS)

    async def send(self, delivery: Delivery, *, sent_at: datetime) -> Verdict:
        """Make one attempt; the stored bytes leave as they are, with a fresh signature."""
        try:
            secret = self._settings.secret.read()
            headers = {name: value.read() for name, value in self._settings.headers.items()}
            answer = await self._client.post(
                self._settings.url,
                headers | self._own_headers(delivery, parse_keys(secret), sent_at),
                delivery.body,
                deadline=self._settings.timeout,
            )
        except (SecretMissingError, NetworkError) as error:
            return verdict_without_answer(error)
        verdict = verdict_on(answer.status_code, parse_retry_after(answer.retry_after, at=sent_at))
        if verdict.kind is VerdictKind.DELIVERED:
            return verdict
        hidden = (secret, *headers.values(), *self._url_secrets)
        return replace(verdict, response=kept_text(answer.body, secrets=hidden))

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    def _own_headers(
        self, delivery: Delivery, keys: tuple[bytes, ...], sent_at: datetime
    ) -> dict[str, str]:
        timestamp = int(sent_at.timestamp())
        signature = sign(keys, event_id=delivery.event_id, timestamp=timestamp, body=delivery.body)
        return {
            "content-type": self._content_type,
            "webhook-id": delivery.event_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature,
        }
