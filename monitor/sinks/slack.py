"""The Slack sink: one readable message per event through an incoming webhook."""

import json
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from typing import Any, ClassVar, Final, Literal

from pydantic import ValidationInfo, field_validator

from monitor.core.delivery import SCHEDULE, Delivery, Verdict, VerdictKind, verdict_on
from monitor.core.errors import NetworkError, SecretMissingError
from monitor.net.answer import Answer
from monitor.net.retry_after import parse_retry_after
from monitor.secret import Secret
from monitor.sinks.kept_text import kept_text, url_secrets
from monitor.sinks.receiver import (
    HttpReceiverSettings,
    check_url,
    open_client,
    verdict_without_answer,
)
from monitor.sinks.slack_blocks import message

_EXAMPLE: Final = "https://hooks.slack.com/services/T0000/B0000/PLACEHOLDER"
_NOT_OK: Final = "not_ok"
"""Our word for a 2xx that does not come from Slack."""
_HEADERS: Final = {"content-type": "application/json"}
_PAYLOAD_REFUSED: Final = frozenset(
    {
        "invalid_attachments",
        "invalid_blocks",
        "invalid_blocks_format",
        "invalid_payload",
        "missing_text_or_fallback_or_attachments",
        "msg_blocks_too_long",
        "msg_too_long",
        "no_text",
        "too_many_attachments",
    }
)
_UNWELL: Final = frozenset({"rate_limited", "rollup_error"})
"""The receiver as a whole, and for a while."""
WORDS: Final = (
    _PAYLOAD_REFUSED
    | _UNWELL
    | {
        "action_prohibited",
        "channel_is_archived",
        "channel_not_found",
        "invalid_token",
        "no_active_hooks",
        "no_service",
        "no_service_id",
        "no_team",
        "posting_to_general_channel_denied",
        "team_disabled",
        "user_not_found",
    }
)
"""What Slack says in a failure's body.

Most are in https://api.slack.com/changelog/2016-05-17-changes-to-errors-for-incoming-webhooks.
"""


class SlackSettings(HttpReceiverSettings):
    """Parse the table of a Slack receiver."""

    secrets: ClassVar[tuple[str, ...]] = ("webhook_url",)
    slots: ClassVar[int] = 1
    spacing: ClassVar[timedelta] = timedelta(seconds=1)
    """Shortest time from one request to the next: Slack takes one a second per webhook."""
    timeout: ClassVar[timedelta] = timedelta(seconds=15)
    """Bound of one attempt."""
    schedule: ClassVar[tuple[timedelta, ...]] = SCHEDULE
    """Waits between the attempts at one delivery."""

    kind: Literal["slack"]
    """Which kind of receiver this is."""
    webhook_url: Secret
    """The URL of the incoming webhook of one channel; whoever has it can post there."""

    @field_validator("webhook_url")
    @classmethod
    def _check_webhook_url(cls, value: Secret, info: ValidationInfo) -> Secret:
        allow_http = bool(info.data.get("allow_http"))
        return value.checked_by(partial(check_url, allow_http=allow_http, example=_EXAMPLE))


class SlackSink:
    """Send deliveries to one Slack channel."""

    def __init__(self, settings: SlackSettings) -> None:
        self._settings = settings
        self._client = open_client(settings, success_waits=settings.timeout)

    async def send(self, delivery: Delivery, *, sent_at: datetime) -> Verdict:
        """Make one attempt: blocks, and if Slack refuses those, at once the text alone."""
        try:
            url = self._settings.webhook_url.read()
            answer = await self._post(url, message(json.loads(delivery.body)))
        except (SecretMissingError, NetworkError) as error:
            return verdict_without_answer(error)
        return _judge(answer, url, sent_at)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def _post(self, url: str, payload: dict[str, Any]) -> Answer:
        started = monotonic()
        timeout = self._settings.timeout
        answer = await self._post_once(url, payload, timeout)
        if _word(answer) not in _PAYLOAD_REFUSED:
            return answer
        del payload["blocks"]
        left = timeout - timedelta(seconds=monotonic() - started)
        return await self._post_once(url, payload, left)

    async def _post_once(self, url: str, payload: dict[str, Any], deadline: timedelta) -> Answer:
        content = json.dumps(payload).encode()
        return await self._client.post(url, _HEADERS, content, deadline=deadline)


def _said(answer: Answer) -> object:
    """Return what Slack says: a word, or the JSON object that some of its endpoints answer."""
    text = answer.body.strip().decode(errors="replace")
    with suppress(ValueError, RecursionError):
        if text.startswith("{"):
            return json.loads(text)
    return text


def _is_ok(answer: Answer) -> bool:
    """Return whether Slack has taken the message: nobody else says so, whatever its status."""
    said = _said(answer)
    return said == "ok" or (isinstance(said, dict) and said.get("ok") is True)


def _word(answer: Answer) -> str | None:
    """Return Slack's word that names a failure; none for any other text."""
    said = _said(answer)
    word = said.get("error") if isinstance(said, dict) else said
    return word if isinstance(word, str) and word in WORDS else None


def _judge(answer: Answer, url: str, sent_at: datetime) -> Verdict:
    """Judge by the status, as for every sink, and a 2xx by what Slack says.

    What is not `ok` comes from somebody in between (a sign-in page, a proxy) or from a Slack that
    is unwell: it holds the receiver, unless Slack's word concerns this message or its destination.
    A destination that is gone (403, 404) follows the delivery's schedule: whoever mends the
    webhook within 75 h loses nothing. 410 (an archived channel) ends a delivery at once like any
    other 410; `redeliver` sends it again once the channel is back.
    """
    verdict = verdict_on(answer.status_code, parse_retry_after(answer.retry_after, at=sent_at))
    word = _word(answer)
    if verdict.kind is VerdictKind.DELIVERED:
        if _is_ok(answer):
            return verdict
        unwell = word is None or word in _UNWELL
        verdict = replace(verdict, kind=VerdictKind.HOLD if unwell else VerdictKind.RETRY)
        word = word or _NOT_OK
    response = kept_text(answer.body, secrets=url_secrets(url))
    return replace(verdict, error=word, response=response)
