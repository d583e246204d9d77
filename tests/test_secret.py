from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from monitor.core.errors import DescriptorsError, SecretMalformedError, SecretMissingError
from monitor.secret import Secret, take_secret
from monitor.setting_types import (
    Labels,
    Settings,
)
from tests.descriptors import no_descriptors


class Account(Settings):
    secrets: ClassVar[tuple[str, ...]] = ("key", "spare")

    key: Secret
    spare: Secret | None = None
    labels: Labels = Field(default_factory=dict)


def reasons(error: ValidationError) -> list[tuple[str, str]]:
    return [(str(found["loc"][0]), found["msg"]) for found in error.errors()]


def test_a_secret_shows_no_value() -> None:
    secret = Secret(name="key", value="hunter2")

    assert "hunter2" not in f"{secret!r} {secret}"


def test_a_secret_is_read_from_its_variable_when_it_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secret = Secret(name="key", env="THE_KEY")
    monkeypatch.delenv("THE_KEY", raising=False)

    with pytest.raises(SecretMissingError, match="key: the environment variable THE_KEY is not"):
        secret.read()

    monkeypatch.setenv("THE_KEY", " hunter2\n")
    assert secret.read() == "hunter2"


def test_a_secret_is_read_from_its_file_when_it_is_used(tmp_path: Path) -> None:
    file = tmp_path / "key"
    secret = Secret(name="key", file=str(file))

    with pytest.raises(SecretMissingError, match="cannot be read: No such file"):
        secret.read()
    file.write_bytes(b"caf\xe9")
    with pytest.raises(SecretMissingError, match="cannot be read: it is not UTF-8 text"):
        secret.read()
    file.write_bytes(b" \n")
    with pytest.raises(SecretMissingError, match="is empty"):
        secret.read()
    file.write_bytes(b"hunter2\n")
    assert secret.read() == "hunter2"


def test_a_secret_of_more_than_one_line_is_none_wherever_it_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    file.write_text("the key\nsomething else\n")
    monkeypatch.setenv("THE_KEY", "the key\nsomething else")

    with pytest.raises(SecretMissingError, match=r"the file .*/key holds more than one line"):
        Secret(name="api_key", file=str(file)).read()
    with pytest.raises(SecretMissingError, match="variable THE_KEY holds more than one line") as no:
        Secret(name="api_key", env="THE_KEY").read()
    assert "something" not in str(no.value)


def refuse(value: str) -> None:
    if value != "hunter2":
        raise ValueError("must be another")


def test_a_secret_that_breaks_the_rule_of_its_kind_is_none_wherever_it_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    file.write_text("marked")
    monkeypatch.setenv("THE_KEY", "marked")

    with pytest.raises(ValueError, match="must be another"):
        Secret(name="key", value="marked").checked_by(refuse)
    with pytest.raises(
        SecretMalformedError, match=r"key: what the file .*/key holds must be another"
    ) as no:
        Secret(name="key", file=str(file)).checked_by(refuse).read()
    assert "marked" not in str(no.value)
    with pytest.raises(
        SecretMalformedError, match="key: the value of the environment variable THE_KEY must be"
    ):
        Secret(name="key", env="THE_KEY").checked_by(refuse).read()


def test_a_secret_that_keeps_the_rule_of_its_kind_is_read_and_is_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("THE_KEY", "hunter2")
    secret = Secret(name="key", env="THE_KEY")

    assert secret.checked_by(refuse).read() == "hunter2"
    assert secret.checked_by(refuse) == secret.checked_by(print) == secret


def test_a_file_name_with_a_nul_is_missing_not_a_crash() -> None:
    with pytest.raises(SecretMissingError, match="holds a NUL"):
        Secret(name="key", file="a\0b").read()


@pytest.mark.parametrize(
    ("table", "secret"),
    [
        ({"key": " hunter2 "}, Secret(name="key", value="hunter2")),
        ({"key_env": "KEY"}, Secret(name="key", env="KEY")),
        ({"key_file": "/run/key"}, Secret(name="key", file="/run/key")),
        ({"key_file": "key"}, Secret(name="key", file="/etc/monitor/key")),
        ({"key": Secret(name="key", env="KEY")}, Secret(name="key", env="KEY")),
    ],
)
def test_each_twin_says_where_the_secret_is(table: dict[str, Any], secret: Secret) -> None:
    account = Account.model_validate(table, context={"folder": Path("/etc/monitor")})

    assert account.key == secret
    assert account.held_secrets() == [secret]


def test_a_secret_file_without_a_folder_stays_relative() -> None:
    assert Account.model_validate({"key_file": "key"}).key.file == "key"


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ({}, "is missing: one of key, key_env, key_file must say it"),
        ({"key": 5}, "key must be a text that is not empty"),
        ({"key": " "}, "key must be a text that is not empty"),
        ({"key": {"value": "a"}}, "key must be a text that is not empty"),
        ({"key_env": True}, "key_env must be a text that is not empty"),
        ({"key_env": "sk-hunter2"}, "key_env must be the name of an environment variable, not the"),
        ({"key": "a", "key_env": "A"}, "give exactly one of key, key_env"),
        (
            {"key": "a", "key_env": "A", "key_file": "a"},
            "give exactly one of key, key_env, key_file",
        ),
    ],
)
def test_a_secret_that_is_not_told_once_is_a_mistake_of_its_key(
    table: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValidationError) as refusal:
        Account.model_validate(table)

    ((key, message),) = reasons(refusal.value)
    assert key == "key"
    assert message.startswith(f"Value error, {reason}")
    assert "hunter2" not in str(refusal.value)


def test_a_bad_secret_hides_no_other_mistake() -> None:
    with pytest.raises(ValidationError) as refusal:
        Account.model_validate({"spare": 1, "spare_env": "A", "labels": 3, "colour": "red"})

    assert {key for key, _ in reasons(refusal.value)} == {"key", "spare", "labels", "colour"}


def test_a_table_that_is_none_is_refused() -> None:
    with pytest.raises(ValidationError, match="valid dictionary"):
        Account.model_validate("hunter2")


def test_a_secret_made_of_something_else_is_refused() -> None:
    with pytest.raises(ValidationError, match="must be a text"):
        TypeAdapter(Secret).validate_python(3)


def test_taking_a_secret_leaves_the_rest_of_the_table() -> None:
    table = {"key_env": "KEY", "other": 1}

    assert take_secret(table, "spare", folder=None) is None
    assert take_secret(table, "key", folder=None) == Secret(name="key", env="KEY")
    assert table == {"other": 1}


def test_a_file_that_no_descriptor_is_left_for_is_not_missing(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("s3cret")
    secret = Secret(name="api_key", file=str(tmp_path / "key"))

    with no_descriptors(), pytest.raises(DescriptorsError):
        secret.read()
