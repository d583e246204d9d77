"""The webhook sink: Standard Webhooks 1.0 or CloudEvents to any URL, signed."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, ValidationInfo, field_validator

from monitor.core.delivery import SCHEDULE, Delivery, Verdict, VerdictKind, verdict_on
from monitor.core.errors import NetworkError, SecretMalformedError, SecretMissingError
from monitor.headers import Headers
from monitor.net.answer import Answer
from monitor.net.retry_after import parse_retry_after
from monitor.secret import Secret
from monitor.setting_types import Duration, Span, duration_between
from monitor.sinks.kept_text import kept_text
from monitor.sinks.receiver import HttpReceiverSettings, check_url, open_client, url_secrets
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
    """Requests at a time."""
    spacing: ClassVar[timedelta] = timedelta()
    """Shortest time from one request to the next."""

    kind: Literal["webhook"]
    """Which kind of receiver this is."""
    url: str = Field(repr=False)  # after allow_http, which its check asks for
    """Where events are posted to; never followed elsewhere."""
    secret: Secret
    """The signing key: `whsec_` and base64 of 24 to 64 bytes; several, separated by spaces, sign
    each (rotation)."""
    format: Literal["standard", "cloudevents"] = "standard"
    """`cloudevents` sends `content-type: application/cloudevents+json`; the body is the same."""
    timeout: Annotated[Span, duration_between("1s", "60s")] = timedelta(seconds=15)
    """Bound of one attempt, from connect to the end of the answer."""
    headers: Headers = Field(default_factory=dict)
    """Added to every request; `NAME_env` and `NAME_file` read a value from elsewhere. At most 32;
    `host`, `content-*`, `webhook-*` and the like are the monitor's own."""
    retry_schedule: Annotated[tuple[Duration, ...], Field(min_length=1, max_length=20)] = SCHEDULE
    """Waits between the attempts at one delivery that was refused, each spread by 20 %."""

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

    @field_validator("secret")
    @classmethod
    def _check_secret(cls, value: Secret) -> Secret:
        return value.checked_by(parse_keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Secrets:
    """The secret values as they were read for one attempt."""

    keys: tuple[bytes, ...]
    headers: dict[str, str]
    shown: tuple[str, ...]
    """What must not show in the answer."""


class WebhookSink:
    """Send deliveries to one webhook receiver."""

    def __init__(self, settings: WebhookSettings) -> None:
        self._settings = settings
        self._content_type = _CONTENT_TYPES[settings.format]
        self._url_secrets = url_secrets(settings.url)
        self._client = open_client(
            settings, connections=settings.slots, success_waits=_SUCCESS_WAITS
        )

    async def send(self, delivery: Delivery, *, sent_at: datetime) -> Verdict:
        """Make one attempt; the stored bytes leave as they are, with a fresh signature."""
        try:
            secrets = self._read_secrets()
            answer = await self._client.post(
                self._settings.url,
                self._headers(delivery, secrets, sent_at),
                delivery.body,
                deadline=self._settings.timeout,
            )
        except SecretMalformedError:
            return Verdict(kind=VerdictKind.HOLD, error="secret_malformed")
        except SecretMissingError:
            return Verdict(kind=VerdictKind.HOLD, error="secret_missing")
        except NetworkError as error:
            return Verdict(kind=VerdictKind.HOLD, error=error.kind.value, reason=error.reason)
        return self._judge(answer, secrets, sent_at)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    def _read_secrets(self) -> _Secrets:
        secret = self._settings.secret.read()
        headers = {name: value.read() for name, value in self._settings.headers.items()}
        shown = (secret, *headers.values(), *self._url_secrets)
        return _Secrets(keys=parse_keys(secret), headers=headers, shown=shown)

    def _headers(self, delivery: Delivery, secrets: _Secrets, sent_at: datetime) -> dict[str, str]:
        timestamp = int(sent_at.timestamp())
        signature = sign(
            secrets.keys, event_id=delivery.event_id, timestamp=timestamp, body=delivery.body
        )
        return {
            **secrets.headers,
            "content-type": self._content_type,
            "webhook-id": delivery.event_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature,
        }

    def _judge(self, answer: Answer, secrets: _Secrets, sent_at: datetime) -> Verdict:
        asked = answer.retry_after
        retry_after = parse_retry_after(asked, at=sent_at) if asked else None
        verdict = verdict_on(answer.status_code, retry_after)
        if verdict.kind is VerdictKind.DELIVERED:
            return verdict
        return replace(verdict, response=kept_text(answer.body, secrets=secrets.shown))
