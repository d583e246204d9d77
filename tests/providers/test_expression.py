from typing import Any

import pytest

from monitor.providers.expression import doubtful_fields, parse_expression


@pytest.mark.parametrize(
    ("text", "document", "found"),
    [
        ("status", {"status": "on"}, "on"),
        ("status", {}, None),
        ('data."total-calls"', {"data": {"total-calls": 7}}, 7),
        ("end && 'ended' || 'running'", {"end": None}, "running"),
        ("{done: a, open: minus(b, a)}", {"a": 3, "b": 7.0}, {"done": 3, "open": 4.0}),
        ("minus(a, b)", {"a": 3, "b": 7}, 0),
        ("minus(a, b)", {"a": 3}, None),
        ("minus(a, b)", {"a": 3, "b": -1}, None),
        ("minus(a, b)", {"a": -1.0, "b": 3}, None),
        ("not_null(a, b, c)", {"b": 7}, 7),
        ("calls[].status", {"calls": [{"status": "busy"}, {}]}, ["busy"]),
        ("map(&(is || 'WAITING'), calls)", {"calls": [{"is": "busy"}, {}]}, ["busy", "WAITING"]),
    ],
)
def test_an_expression_finds(text: str, document: dict[str, Any], found: object) -> None:
    assert parse_expression(text).evaluate(document) == found


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (7, 'must be a JMESPath expression such as "status"'),
        ("  ", 'must be a JMESPath expression such as "status"'),
        ("a..b", "'.' at character 3 does not fit"),
        ("a.b-c", "'-' at character 4 does not fit, a key that holds one needs double quotes"),
        ("{a: b", "it ends too early"),
        ('"a', "'\"' at character 1 does not fit"),
        ("totl(a)", "there is no function totl(); there are: abs, "),
        ("a[?totl(@)]", "there is no function totl()"),
        ("sum()", "sum() takes 1 argument, not 0"),
        ("minus(a)", "minus() takes 2 arguments, not 1"),
        ("a[?length(@, @)]", "length() takes 1 argument, not 2"),
        ("not_null()", "not_null() takes at least 1 argument, not 0"),
        ("!" * 999 + "a", "is no JMESPath expression that can be read"),
        ("a" * 1001, "must have at most 1000 characters"),
    ],
)
def test_what_cannot_be_compiled_says_where(text: object, mistake: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the text is looked at)
        parse_expression(text)

    assert mistake in str(caught.value)


@pytest.mark.parametrize(
    ("text", "document", "reason"),
    [
        ("sum(values(x))", {"x": {"a": 1, "b": None}}, "sum() wants array-number, not null"),
        ("length(x)", {}, "length() wants string or array or object, not null"),
        ("minus(x, x)", {"x": "+14155550101"}, "minus() wants number or null, not string"),
        ("ceil(x)", {"x": float("inf")}, "it cannot be evaluated"),
        ("ceil(x)", {"x": float("nan")}, "it cannot be evaluated"),
        ("minus(x, `0.5`)", {"x": 10**400}, "it cannot be evaluated"),
        ("contains('a', x)", {"x": 5}, "it cannot be evaluated"),
        ("x[?a > `1`]", {"x": [{"a": "+14155550101"}]}, "it cannot be evaluated"),
    ],
)
def test_what_cannot_be_evaluated_says_why_and_shows_nothing_of_the_answer(
    text: str, document: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the text is looked at)
        parse_expression(text).evaluate(document)

    assert str(caught.value) == reason
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_expressions_are_equal_by_their_text() -> None:
    assert parse_expression("a") == parse_expression("a")
    assert parse_expression("a") != parse_expression("b")
    assert parse_expression(parse_expression("a")) == parse_expression("a")


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ('x == "END"', ["END"]),
        ('"END" != x', ["END"]),
        ('x == "in-progress"', ["in-progress"]),
        ('calls[?state == "END"].id', ["END"]),
        ('a && "ended" || "waiting"', ["ended", "waiting"]),
        ("x == 'END' || x == `\"OVER\"`", []),
        ('"total-calls" == done', []),
        ('"total-calls" || "all-calls"', []),
        ('x == a."END"', []),
        ('x == "a".b', []),
        ('{"queued": a, "done": b}', []),
        ('"state"', []),
    ],
)
def test_a_field_in_double_quotes_may_be_meant_as_a_text(text: str, fields: list[str]) -> None:
    assert doubtful_fields(parse_expression(text)) == fields
