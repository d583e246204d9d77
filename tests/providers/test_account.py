from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from monitor.providers import BolnaSettings, VogentSettings

ACCOUNTS: TypeAdapter[BolnaSettings | VogentSettings] = TypeAdapter(
    Annotated[BolnaSettings | VogentSettings, Field(discriminator="provider")]
)


def account(**fields: Any) -> BolnaSettings | VogentSettings:
    return ACCOUNTS.validate_python(
        {"provider": "bolna", "api_key": "key"} | fields, context={"folder": Path("/etc/monitor")}
    )


def mistakes(**fields: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        account(**fields)
    return str(caught.value.errors(include_url=False, include_input=False))


def test_a_provider_and_a_key_are_enough() -> None:
    bolna, vogent = account(), account(provider="vogent")

    assert isinstance(bolna, BolnaSettings)
    assert bolna.base_url == "https://api.bolna.ai"
    assert bolna.rate_limit == pytest.approx(1000 / 60)
    assert isinstance(vogent, VogentSettings)
    assert vogent.base_url == "https://api.vogent.ai/api"
    assert vogent.rate_limit == pytest.approx(300 / 60)
    assert (bolna.interval, bolna.labels, bolna.ca_file) == (None, {}, None)
    assert (bolna.allow_http, bolna.allow_private) == (False, False)


def test_everything_can_be_given() -> None:
    settings = account(
        base_url="http://127.0.0.1:8080/v1/",
        allow_http=True,
        allow_private=True,
        interval="10s",
        rate_limit="20/s",
        labels={"env": "prod"},
        ca_file="ca.pem",
    )

    assert settings.base_url == "http://127.0.0.1:8080/v1"
    assert (settings.interval, settings.rate_limit) == (timedelta(seconds=10), 20)
    assert settings.labels == {"env": "prod"}
    assert settings.ca_file == Path("/etc/monitor/ca.pem")


def test_the_key_has_twins_and_is_never_shown() -> None:
    settings = account(api_key="hunter2")

    assert [secret.name for secret in settings.held_secrets()] == ["api_key"]
    assert "hunter2" not in repr(settings)
    assert "exactly one of" in mistakes(api_key_env="KEY")


@pytest.mark.parametrize(
    ("base_url", "mistake"),
    [
        ("", "must be a URL"),
        ("api.bolna.ai", "must be a URL"),
        ("https://", "must be a URL"),
        ("https:///batches", "must be a URL"),
        ("https://[::1", "must be a URL"),
        ("https://api.bolna.ai:99999", "must be a URL"),
        ("https://api.bolna.ai:0", "must be a URL"),
        ("https://api.bolna.ai:https", "must be a URL"),
        ("https://api .bolna.ai", "must be a URL"),
        ("https://api.bolna.ai\n", "must be a URL"),
        ("https://bölna.ai", "must be a URL"),
        ("http://api.bolna.ai", "allow_http"),
        ("ftp://api.bolna.ai", "https://"),
        ("https://user:secret@api.bolna.ai", "no user"),
        ("https://api.bolna.ai?a=1", "query"),
        ("https://api.bolna.ai?", "query"),
        ("https://api.bolna.ai#", "fragment"),
        ("https://api.bolna.ai/a/../b", "dot segments"),
        ("https://api.bolna.ai/a/%2E./b", "dot segments"),
        ("https://api.bolna.ai/%2e", "dot segments"),
        ("https://api.bolna.ai\\b", "backslash"),
        (7, "string"),
    ],
)
def test_a_base_url_unfit_to_carry_a_key_is_refused(base_url: object, mistake: str) -> None:
    assert mistake in mistakes(base_url=base_url)


def test_allow_http_does_not_allow_other_schemes() -> None:
    assert "https://" in mistakes(base_url="file://host/x", allow_http=True)


@pytest.mark.parametrize(
    ("fields", "mistake"),
    [
        ({"provider": "twilio"}, "'bolna', 'vogent'"),
        ({"rate_limit": "fast"}, "1000/min"),
        ({"interval": "0s"}, "interval"),
        ({"labels": {"type": "x"}}, "cannot be a label"),
        ({"api_token": "x"}, "Extra inputs"),
        ({"api_key": ""}, "not empty"),
        ({"api_key": "schlüssel"}, "must be ASCII text on one line"),
        ({"api_key": "two\nlines"}, "must be ASCII text on one line"),
        ({"ca_file": "a\0b"}, "must name a file, without control characters"),
        ({"ca_file": "a\x1b[31m.pem"}, "must name a file, without control characters"),
    ],
)
def test_mistakes_are_named(fields: dict[str, Any], mistake: str) -> None:
    assert mistake in mistakes(**fields)
