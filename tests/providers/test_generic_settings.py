from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from monitor.config.load import load
from monitor.core.errors import ConfigError, SecretMalformedError
from monitor.providers import GenericSettings
from monitor.providers.api import Auth

URL = "https://api.acme.example/v1/batches/{id}"


def source(**fields: Any) -> GenericSettings:
    least = {"provider": "generic", "url": URL, "status": "status", "completed": ["done"]}
    return GenericSettings.model_validate(least | fields)


def mistake(**fields: Any) -> tuple[Any, str]:
    with pytest.raises(ValidationError) as caught:
        source(**fields)
    first = caught.value.errors(include_url=False, include_input=False)[0]
    return first["loc"][0], first["msg"]


def test_a_url_a_status_and_a_word_are_enough() -> None:
    settings = source()

    assert settings.rate_limit == pytest.approx(1)
    assert settings.read_auth() == Auth({})
    assert settings.held_secrets() == []


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({"bearer": "k"}, {"Authorization": "Bearer k"}),
        ({"username": "u", "password": "p:w"}, {"Authorization": "Basic dTpwOnc="}),
        ({"username": "u"}, {"Authorization": "Basic dTo="}),
        ({"headers": {"xi-api-key": "k", "Version": "2"}}, {"xi-api-key": "k", "Version": "2"}),
        ({"headers": {"Authorization": "Token k"}}, {"Authorization": "Token k"}),
        (
            {"headers": {"Version": "2"}, "bearer": "k"},
            {"Version": "2", "Authorization": "Bearer k"},
        ),
    ],
)
def test_keys_go_into_headers(fields: dict[str, Any], headers: dict[str, str]) -> None:
    settings = source(**fields)

    assert settings.read_auth()[:2] == (headers, {})
    assert "'k'" not in repr(settings)


def test_a_key_may_go_into_the_query(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_TOKEN", "a&b")
    settings = source(query={"token_env": "ACME_TOKEN", "region": "eu"})

    assert settings.read_auth() == Auth({}, {"token": "a&b", "region": "eu"}, ("a&b",))
    assert [secret.name for secret in settings.held_secrets()] == ["token", "region"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"v": "2"}, "'v' is in both url and query: give it once"),
        ({"a b": "2"}, "parameter 'a b': is no name of a query parameter"),
        ({"token_env": "not a variable"}, "must be the name of an environment variable"),
        ({"token": "a\nb"}, "parameter 'token': must be a text on one line"),
        ({f"p{n}": "x" for n in range(33)}, "at most 32 parameters are allowed"),
        ("token", 'must be a table such as { token_env = "API_TOKEN" }'),
    ],
)
def test_a_mistake_in_the_query_is_named(query: Any, said: str) -> None:
    assert said in mistake(url="https://api.acme.example/{id}?v=1", query=query)[1]


@pytest.mark.parametrize(("written", "size"), [("64KiB", 65536), ("16MiB", 16 * 2**20)])
def test_the_limit_of_answers_is_a_size(written: str, size: int) -> None:
    assert source(answer_limit=written).answer_limit == size
    assert source().answer_limit == 2**20


@pytest.mark.parametrize("written", ["63KiB", "17MiB", "1MB", "0MiB", "1.5MiB", 1.5, ""])
def test_another_size_is_refused(written: Any) -> None:
    assert mistake(answer_limit=written)[0] == "answer_limit"


def test_every_secret_has_twins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ACME_KEY", "from a variable")
    (tmp_path / "key").write_text("from a file\n")
    settings = source(bearer_env="ACME_KEY", headers={"X-Key_file": str(tmp_path / "key")})

    assert settings.read_auth().headers == {
        "Authorization": "Bearer from a variable",
        "X-Key": "from a file",
    }
    assert [secret.name for secret in settings.held_secrets()] == ["bearer", "X-Key"]


def test_a_bearer_read_later_is_the_key_alone_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_KEY", "bearer k")

    with pytest.raises(SecretMalformedError) as caught:
        source(bearer_env="ACME_KEY").read_auth()

    assert str(caught.value) == (
        "bearer: the value of the environment variable ACME_KEY must be the key alone: "
        '"Bearer " is put before it'
    )


@pytest.mark.parametrize(
    ("fields", "key", "text"),
    [
        ({"url": "https://a.example/b"}, "url", 'must hold "{id}" once'),
        ({"url": "https://a.example/{id}/{id}"}, "url", 'must hold "{id}" once'),
        ({"url": "https://a.example/{project}/{id}"}, "url", "no other braces"),
        ({"url": "https://{id}.example/b"}, "url", "in its path or query"),
        ({"url": "http://a.example/{id}"}, "url", 'must start with "https://"'),
        ({"url": "https://u:p@a.example/{id}"}, "url", "no user, password"),
        ({"url": "https://a.example/../{id}"}, "url", "no dot segments"),
        ({"bearer": "k", "username": "u"}, "username", "give one of the two"),
        ({"bearer": "k", "headers": {"AUTHORIZATION": "k"}}, "bearer", "give one of the two"),
        ({"username": "k", "headers": {"Authorization": "k"}}, "username", "give one of the two"),
        ({"password": "p"}, "password", "needs a username"),
        ({"username": "a:b", "password": "p"}, "username", "must hold no colon"),
        ({"bearer": "a\x01b"}, "bearer", "must be ASCII text on one line"),
        ({"bearer": "Bearer k"}, "bearer", 'must be the key alone: "Bearer " is put before it'),
        ({"headers": {"Host": "x"}}, "headers", "is set by the monitor"),
        ({"status": "a..b"}, "status", "'.' at character 3 does not fit"),
        ({"completed": []}, "completed", "must name a word"),
        ({"completed": [" "]}, "completed", "must be a status word"),
        ({"running": ["x" * 65]}, "running", "must be a status word"),
        ({"pending": ["on-hold"], "paused": ["On hold"]}, "paused", "is in pending already"),
        ({"failed": ["a", "A"]}, "failed", "'A' is here already"),
        ({"counts": "calls"}, "final_calls", "is missing: which call statuses"),
        ({"final_calls": ["a"]}, "final_calls", "says nothing without counts"),
        ({"rest_calls": "a"}, "rest_calls", "says nothing without counts"),
        (
            {"counts": "c", "final_calls": ["a"], "parked_calls": ["A"]},
            "parked_calls",
            "'A' is in final_calls already",
        ),
        (
            {"counts": "c", "final_calls": ["a"], "rest_calls": "a"},
            "rest_calls",
            "'a' is in final_calls already",
        ),
    ],
)
def test_mistakes_are_named_with_their_key(fields: dict[str, Any], key: str, text: str) -> None:
    named, found = mistake(**fields)

    assert named == key
    assert text in found


def test_a_file_names_key_and_position(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        f'[sources.acme]\nprovider = "generic"\nurl = "{URL}"\nstatus = "s"\n'
        'completed = ["done"]\ncounts = "{a: b"\nfinal_calls = ["x"]\n'
    )

    with pytest.raises(ConfigError) as caught:
        load(path)

    assert str(caught.value) == (
        f"{path}:6: sources.acme.counts: is no JMESPath expression: it ends too early"
    )
