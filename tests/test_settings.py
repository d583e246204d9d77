from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter, ValidationError

from monitor.core.errors import SecretMissingError
from monitor.core.event import MATCHER_NAMES
from monitor.settings import (
    Labels,
    Rate,
    Secret,
    Settings,
    check_labels,
    check_name,
    parse_duration,
    take_secret,
    write_duration,
)


class Account(Settings):
    secrets: ClassVar[tuple[str, ...]] = ("key", "spare")

    key: Secret
    spare: Secret | None = None
    labels: Labels = Field(default_factory=dict)


def reasons(error: ValidationError) -> list[tuple[str, str]]:
    return [(str(found["loc"][0]), found["msg"]) for found in error.errors()]


# ---- Durations


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("500ms", timedelta(milliseconds=500)),
        ("30s", timedelta(seconds=30)),
        ("5m", timedelta(minutes=5)),
        ("1h30m", timedelta(minutes=90)),
        ("7d", timedelta(days=7)),
    ],
)
def test_a_duration_is_read_and_written_the_same(text: str, value: timedelta) -> None:
    assert parse_duration(text) == value
    assert write_duration(value) == text


@pytest.mark.parametrize("value", ["", "30", "s", "1.5h", "-5s", "5 s", "5S", "1w", "٣s", 30, True])
def test_anything_else_is_no_duration(value: object) -> None:
    with pytest.raises(ValueError, match="must be a duration such as"):
        parse_duration(value)


def test_a_duration_beyond_all_time_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than any time"):
        parse_duration("999999999d999999999d")


@settings(deadline=None)
@given(st.timedeltas(min_value=timedelta(), max_value=timedelta(days=36500)))
def test_a_written_duration_reads_as_itself_to_the_millisecond(value: timedelta) -> None:
    whole = value - value % timedelta(milliseconds=1)

    assert parse_duration(write_duration(value)) == whole


# ---- Rates


@pytest.mark.parametrize(
    ("text", "per_second"), [("10/s", 10), ("600/min", 10), ("1800/h", 0.5), ("999999999/s", 1e9)]
)
def test_a_rate_becomes_requests_per_second(text: str, per_second: float) -> None:
    assert TypeAdapter(Rate).validate_python(text) == pytest.approx(per_second)


@pytest.mark.parametrize("value", ["", "0/s", "10", "10/m", "1.5/s", "10 / s", 10, True])
def test_anything_else_is_no_rate(value: object) -> None:
    with pytest.raises(ValidationError, match="must be a rate such as"):
        TypeAdapter(Rate).validate_python(value)


# ---- Names and labels


@pytest.mark.parametrize("name", ["a", "0", "bolna-prod", "a_b", "a" * 63])
def test_a_name_may_be_used(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "A", "-a", "_a", "a.b", "a b", "a\n", "ä", "a" * 64])
def test_anything_else_is_no_name(name: str) -> None:
    with pytest.raises(ValueError, match="is no valid name"):
        check_name(name)


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ({"A": "x"}, "label 'A': is no valid name"),
        ({"a": "x" * 257}, "label 'a': must be printable, at most 256 characters"),
        ({"a": "x\n"}, "label 'a': must be printable"),
        ({f"a{number}": "x" for number in range(33)}, "at most 32 labels"),
        *(({name: "x"}, f"label '{name}': cannot be a label") for name in MATCHER_NAMES),
    ],
)
def test_labels_that_matchers_could_not_tell_apart_are_refused(
    labels: dict[str, str], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        check_labels(labels)


def test_every_bad_label_of_a_table_is_a_mistake_of_its_own() -> None:
    with pytest.raises(ValidationError) as refusal:
        Account.model_validate({"key": "k", "labels": {"A": "x", "type": "x", "a": "\n", "b": 1}})

    assert len(refusal.value.errors()) == 4


def test_labels_at_the_bounds_are_accepted() -> None:
    check_labels({f"a{number}": "x" * 256 for number in range(32)})


# ---- Secrets


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
