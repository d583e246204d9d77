from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from monitor.core.errors import PollError
from monitor.core.failure import FailureKind
from monitor.providers.document import (
    check_id,
    decode,
    read_count,
    read_name,
    read_status,
    read_time,
)


def refused(read: Callable[[], object]) -> bool:
    with pytest.raises(PollError) as caught:
        read()
    return (caught.value.kind, caught.value.status_code) == (FailureKind.INVALID_BODY, 200)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"<!doctype html><html></html>",
        b'{"status": "run',
        b'[{"status": "running"}]',
        b'"running"',
        b"7",
        b"true",
        b"null",
        b'{"a": 1} {"b": 2}',
        b'{"a": "\xff"}',
        b"\xef\xbb\xbf{}",
        b'{"a": "\x00"}',
        "{}".encode("utf-16"),
        b"[" * 49_999,
        b'{"a":' * 49_999,
        b'{"a":' + b"[" * 40_000 + b"]" * 40_000 + b"}",
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
)
def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    assert refused(lambda: decode(body))


@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, b'{"a":' * 100_000, b'{"a": [' + b"0," * 50_000 + b"0]}"],
)
def test_a_body_of_too_many_values_is_refused_unread_and_says_how_many(body: bytes) -> None:
    with pytest.raises(PollError) as caught:
        decode(body)

    assert (caught.value.kind, caught.value.status_code) == (FailureKind.TOO_LARGE, 200)
    assert (caught.value.reason or "").endswith("values where 50,000 are allowed")


def test_of_duplicate_keys_the_last_one_counts() -> None:
    assert decode(b'{"status": "queued", "status": "executed"}') == {"status": "executed"}


@pytest.mark.parametrize(
    ("found", "asked"),
    [
        (None, "b1"),
        ("b1", "b1"),
        ("3C90C3CC0D444B5088888DD25736052A", "3c90c3cc0d444b5088888dd25736052a"),
        ("3c90c3cc0d444b5088888dd25736052a", "3c90c3cc-0d44-4b50-8888-8dd25736052a"),
        ("batches/1234567891", "1234567891"),
        ("arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/abc", "abc"),
    ],
)
def test_the_same_id_in_another_notation_is_accepted(found: object, asked: str) -> None:
    check_id(found, asked)


@pytest.mark.parametrize("found", ["b2", "", 1, True, ["b1"], {"b1": 1}])
def test_another_id_is_refused(found: object) -> None:
    assert refused(lambda: check_id(found, "b1"))


def test_another_id_is_named_beside_the_one_that_was_asked_for() -> None:
    with pytest.raises(PollError) as caught:
        check_id("batches/\x1b[31m2", "1")

    assert caught.value.reason == "its id is 'batches/\\x1b[31m2', not '1'"


@pytest.mark.parametrize("value", ["queued", "In Progress", "x" * 64, "läuft", "🙂"])
def test_a_status_is_kept_as_it_is_spelled(value: str) -> None:
    assert read_status(value) == value


@pytest.mark.parametrize(
    "value",
    [None, "", " ", 7, True, ["queued"], {"a": 1}, "x" * 65, "a\0b", "\ud800", "ä\udfff"],
)
def test_what_is_no_storable_status_is_refused(value: object) -> None:
    assert refused(lambda: read_status(value))


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("customers.csv", "customers.csv"),
        ("ä" * 300, "ä" * 256),
        (None, None),
        ("", None),
        (7, None),
        (["customers.csv"], None),
    ],
)
def test_a_name_is_cut_and_what_is_no_text_is_no_name(value: object, name: str | None) -> None:
    assert read_name(value) == name


@pytest.mark.parametrize("value", ["a\0b", "\ud800", "ä\udfff.csv"])
def test_a_name_that_no_database_stores_is_refused(value: str) -> None:
    assert refused(lambda: read_name(value))


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (None, None),
        (0, 0),
        (7, 7),
        (2**63 - 1, 2**63 - 1),
        (7.0, 7),
        (-0.0, 0),
        (1e3, 1000),
        ("7", 7),
        ("007", 7),
        ("7.0", 7),
    ],
)
def test_counts_are_read_from_ints_integral_floats_and_numeric_texts(
    value: object, number: int | None
) -> None:
    assert read_count(value) == number


@pytest.mark.parametrize(
    "value",
    [
        True,
        False,
        -1,
        -1.0,
        7.5,
        2**63,
        10**400,
        1e19,
        float("nan"),
        float("inf"),
        float("-inf"),
        "",
        "-1",
        "+7",
        " 7",
        "7 ",
        "7\n",
        "7.5",
        "7e3",
        "1_000",
        "\u0667",
        "NaN",
        "9" * 5000,
        "9" * 19,
        "seven",
        [],
        [7],
        {},
    ],
)
def test_what_is_no_count_is_refused(value: object) -> None:
    assert refused(lambda: read_count(value))


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-29T08:30:00Z",
        "2024-01-29T08:30:00+00:00",
        "2024-01-29T08:30:00",
        "2024-01-29T14:00:00+05:30",
        "2024-01-29 08:30:00.000000Z",
    ],
)
def test_times_are_utc_and_naive_ones_count_as_utc(text: str) -> None:
    time = read_time(text)

    assert time == datetime(2024, 1, 29, 8, 30, tzinfo=UTC)
    assert time is not None
    assert time.tzinfo is UTC


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "2024-02-29T04:22:89Z",
        "tomorrow",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "2024-01-29T08:30:00Z\0",
        "\ud800",
        "9" * 100_000,
        1706517000,
        True,
        [],
    ],
)
def test_what_is_no_time_is_none(value: object) -> None:
    assert read_time(value) is None
