from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter, ValidationError

from monitor.core.event import MATCHER_NAMES
from monitor.setting_types import (
    Labels,
    Rate,
    Settings,
    check_name,
    parse_duration,
    write_duration,
)


class Table(Settings):
    labels: Labels = Field(default_factory=dict)


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
        ({"A": "x"}, "is no valid name"),
        ({"a": "x" * 257}, "must be printable, at most 256 characters"),
        ({"a": "x\n"}, "must be printable"),
        ({f"a{number}": "x" for number in range(33)}, "at most 32 labels"),
        *(({name: "x"}, "cannot be a label") for name in MATCHER_NAMES),
    ],
)
def test_labels_that_matchers_could_not_tell_apart_are_refused(
    labels: dict[str, str], reason: str
) -> None:
    with pytest.raises(ValidationError, match=reason):
        Table.model_validate({"labels": labels})


def test_every_bad_label_of_a_table_is_a_mistake_of_its_own() -> None:
    with pytest.raises(ValidationError) as refusal:
        Table.model_validate({"labels": {"A": "x", "type": "x", "a": "\n", "b": 1}})

    assert len(refusal.value.errors()) == 4


def test_labels_at_the_bounds_are_accepted() -> None:
    labels = {f"a{number}": "x" * 256 for number in range(32)}

    assert Table.model_validate({"labels": labels}).labels == labels
