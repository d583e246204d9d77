import base64
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from pydantic import TypeAdapter, ValidationError
from standardwebhooks import Webhook, WebhookVerificationError

from monitor import __version__
from monitor.core.delivery import SCHEDULE, Delivery, VerdictKind
from monitor.core.errors import ConfigError
from monitor.sinks import ReceiverSettings, WebhookSettings, build
from monitor.sinks.webhook import WebhookSink
from tests.consumer import Consumer

FIRST = "whsec_" + base64.b64encode(bytes(range(24))).decode()
SECOND = "whsec_" + base64.b64encode(bytes(range(64))).decode()

MakeDelivery = Callable[..., Delivery]
MakeSink = Callable[..., WebhookSink]


def settings_of(**table: Any) -> WebhookSettings:
    base: dict[str, Any] = {
        "kind": "webhook",
        "url": "https://crm.example.com/hooks/batches",
        "secret": FIRST,
    }
    settings = TypeAdapter[Any](ReceiverSettings).validate_python(base | table)
    assert isinstance(settings, WebhookSettings)
    return settings


@pytest.fixture
async def make_sink(receiver: Consumer) -> AsyncIterator[MakeSink]:
    made: list[WebhookSink] = []

    def make(**table: Any) -> WebhookSink:
        base = {"url": receiver.url, "allow_http": True, "allow_private": True}
        made.append(WebhookSink(settings_of(**(base | table))))
        return made[-1]

    yield make
    for sink in made:
        await sink.close()


async def test_the_official_verifier_accepts_what_is_sent(
    receiver: Consumer, make_sink: MakeSink, make_delivery: MakeDelivery
) -> None:
    delivery = make_delivery(status="späß \u2028 😀")

    await make_sink().send(delivery, sent_at=datetime.now(UTC))

    body, headers = receiver.arrived[0].body, dict(receiver.arrived[0].headers)
    assert body == delivery.body
    assert Webhook(FIRST).verify(body, headers) == json.loads(delivery.body)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECOND).verify(body, headers)


async def test_each_of_two_secrets_verifies(
    receiver: Consumer, make_sink: MakeSink, make_delivery: MakeDelivery
) -> None:
    await make_sink(secret=f"{FIRST} {SECOND}").send(make_delivery(), sent_at=datetime.now(UTC))

    body, headers = receiver.arrived[0].body, dict(receiver.arrived[0].headers)
    assert len(headers["webhook-signature"].split()) == 2
    for secret in (FIRST, SECOND):
        Webhook(secret).verify(body, headers)


async def test_the_headers_are_the_contracts(
    receiver: Consumer, make_sink: MakeSink, make_delivery: MakeDelivery
) -> None:
    delivery = make_delivery()
    sent_at = datetime(2026, 1, 29, 8, 31, 2, 999_999, tzinfo=UTC)

    await make_sink().send(delivery, sent_at=sent_at)

    headers = receiver.arrived[0].headers
    assert receiver.arrived[0].method == "POST"
    assert headers["webhook-id"] == delivery.event_id
    assert headers["webhook-timestamp"] == "1769675462"
    assert headers["content-type"] == "application/json"
    assert headers["user-agent"] == f"batch-monitor/{__version__}"
    assert headers["accept-encoding"] == "identity"


async def test_another_attempt_keeps_id_and_body_but_not_time_and_signature(
    receiver: Consumer, make_sink: MakeSink, make_delivery: MakeDelivery
) -> None:
    sink, delivery, at = make_sink(), make_delivery(), datetime.now(UTC)

    await sink.send(delivery, sent_at=at)
    await sink.send(delivery, sent_at=at + timedelta(seconds=5))

    first, second = (request.headers for request in receiver.arrived)
    assert first["webhook-id"] == second["webhook-id"]
    assert receiver.arrived[0].body == receiver.arrived[1].body
    assert first["webhook-timestamp"] != second["webhook-timestamp"]
    assert first["webhook-signature"] != second["webhook-signature"]


async def test_cloudevents_consumers_read_what_is_sent(
    receiver: Consumer, make_sink: MakeSink, make_delivery: MakeDelivery
) -> None:
    delivery = make_delivery()

    await make_sink(format="cloudevents").send(delivery, sent_at=datetime.now(UTC))

    headers = {name.lower(): value for name, value in receiver.arrived[0].headers.items()}
    event = from_http_event(HTTPMessage(headers=headers, body=receiver.arrived[0].body))
    assert headers["content-type"] == "application/cloudevents+json"
    assert event.get_id() == delivery.event_id
    assert event.get_type() == "batch.status_changed"
    assert event.get_source() == "/sources/bolna-prod"
    assert event.get_data() == json.loads(delivery.body)["data"]


async def test_headers_of_the_table_are_sent_and_kept_secret(
    receiver: Consumer,
    make_sink: MakeSink,
    make_delivery: MakeDelivery,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    def echo(request: web.BaseRequest) -> web.Response:
        return web.Response(status=403, text=f"no: {dict(request.headers)}")

    monkeypatch.setenv("CRM_TOKEN", "Bearer token-from-the-environment")
    (tmp_path / "key").write_text("key-from-a-file\n")
    headers = {
        "X-Team": "inline-value",
        "Authorization_env": "CRM_TOKEN",
        "X-Key_file": str(tmp_path / "key"),
    }
    receiver.script.extend([echo])

    verdict = await make_sink(headers=headers).send(make_delivery(), sent_at=datetime.now(UTC))

    sent = receiver.arrived[0].headers
    assert sent["X-Team"] == "inline-value"
    assert sent["Authorization"] == "Bearer token-from-the-environment"
    assert sent["X-Key"] == "key-from-a-file"
    for value in ("inline-value", "token-from-the-environment", "key-from-a-file"):
        assert value not in (verdict.response or "")
    assert "X-Key" in (verdict.response or "")


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("", "secret_missing"),
        ("two\r\nlines: x", "secret_missing"),
        ("nul\0", "secret_missing"),
        ("ümlaut", "secret_malformed"),
    ],
)
async def test_a_header_secret_that_cannot_be_sent_holds(
    make_sink: MakeSink, make_delivery: MakeDelivery, tmp_path: Path, value: str, error: str
) -> None:
    (tmp_path / "key").write_text(value)
    sink = make_sink(headers={"X-Key_file": str(tmp_path / "key")})

    verdict = await sink.send(make_delivery(), sent_at=datetime.now(UTC))

    assert verdict.kind is VerdictKind.HOLD
    assert verdict.error == error


def test_defaults_are_the_contracts() -> None:
    settings = settings_of()

    assert settings.schedule == SCHEDULE
    assert settings.timeout == timedelta(seconds=15)
    assert (settings.slots, settings.spacing) == (8, timedelta())


def test_a_schedule_of_its_own_is_taken() -> None:
    settings = settings_of(retry_schedule=["5s", "1h"])

    assert settings.schedule == (timedelta(seconds=5), timedelta(hours=1))


def test_all_secrets_are_listed_and_no_value_shows() -> None:
    settings = settings_of(headers={"X-A_env": "A", "X-B": "inline-value"})

    assert [secret.name for secret in settings.held_secrets()] == ["secret", "X-A", "X-B"]
    for hidden in (FIRST, "inline-value", "crm.example.com"):
        assert hidden not in repr(settings)


def test_ca_files_are_looked_up_from_the_config_files_folder() -> None:
    table = {"kind": "webhook", "url": "https://a.example/", "secret": FIRST, "ca_file": "ca.pem"}

    settings = WebhookSettings.model_validate(table, context={"folder": Path("/etc/monitor")})

    assert settings.ca_file == Path("/etc/monitor/ca.pem")
    with pytest.raises(ConfigError, match=r"receivers\.crm: the CA file /etc/monitor/ca\.pem"):
        build("crm", settings)


@pytest.mark.parametrize(
    ("table", "mistake"),
    [
        ({"url": "http://crm.example.com/"}, '"http://" needs allow_http = true'),
        ({"url": "ftp://crm.example.com/", "allow_http": True}, 'start with "https://"'),
        ({"url": "crm.example.com"}, "must be a URL"),
        ({"url": "https:///hooks"}, "must be a URL"),
        ({"url": "https://crm.example.com/a/../b"}, "dot segments"),
        ({"url": "https://crm.example.com/a/.%2E"}, "dot segments"),
        ({"url": "https://[::1/"}, "must be a URL"),
        ({"url": "https://crm.example.com:99999/"}, "must be a URL"),
        ({"url": "https://crm.example.com/a b"}, "must be a URL"),
        ({"url": "https://crm.example.com/\r\n"}, "must be a URL"),
        ({"url": "https://user:pass@crm.example.com/"}, "no user, password"),
        ({"url": "https://crm.example.com/#top"}, "fragment"),
        ({"secret": "whsec_" + base64.b64encode(bytes(23)).decode()}, "24 to 64 bytes"),
        ({"secret": "whsec_" + base64.b64encode(bytes(65)).decode()}, "24 to 64 bytes"),
        ({"secret": base64.b64encode(bytes(24)).decode()}, '"whsec_"'),
        ({"secret": "whsec_not base64"}, '"whsec_"'),
        ({"secret": f"{FIRST} whsec_x"}, '"whsec_"'),
        ({"secret": "   "}, "not empty"),
        ({"secret_env": "CRM_SECRET"}, "exactly one of secret, secret_env"),
        ({"format": "xml"}, "'standard' or 'cloudevents'"),
        ({"timeout": "999ms"}, 'from "1s" to "60s"'),
        ({"timeout": "61s"}, 'from "1s" to "60s"'),
        ({"retry_schedule": ["5s"] * 21}, "at most 20"),
        ({"retry_schedule": []}, "at least 1"),
        ({"retry_schedule": ["soon"]}, "must be a duration"),
        ({"tiemout": "5s"}, "Extra inputs"),
        ({"headers": ["X-A"]}, "must be a table"),
        ({"headers": {"X-A": 1}}, "'X-A': X-A must be a text"),
        ({"headers": {"X-A": "a\r\nX-B: b"}}, "on one line"),
        ({"headers": {"X A": "a"}}, "no name of an HTTP header"),
        ({"headers": {"": "a"}}, "no name of an HTTP header"),
        ({"headers": {"_env": "A"}}, "no name of an HTTP header"),
        ({"headers": {"X-A": "a", "x-a": "b"}}, "given twice"),
        ({"headers": {"X-A": "a", "X-A_env": "B"}}, "exactly one of X-A, X-A_env"),
        ({"headers": {f"X-{number}": "a" for number in range(33)}}, "at most 32"),
        *(
            ({"headers": {name: "x"}}, "set by the monitor")
            for name in (
                "Host",
                "CONTENT-TYPE",
                "content-length",
                "Webhook-Id",
                "webhook-signature",
                "User-Agent",
                "Transfer-Encoding",
                "Connection",
                "Accept-Encoding",
                "Expect",
                "Proxy-Authorization",
            )
        ),
    ],
)
def test_a_mistake_is_named_without_its_value(table: dict[str, Any], mistake: str) -> None:
    with pytest.raises(ValidationError) as caught:
        settings_of(**table)

    messages = [error["msg"] for error in caught.value.errors(include_input=False)]
    assert any(mistake in message for message in messages), messages
    for hidden in ("user:pass", "X-B: b", base64.b64encode(bytes(23)).decode()):
        assert not any(hidden in message for message in messages)
