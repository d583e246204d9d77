import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.event import MATCHER_NAMES
from monitor.core.matching import VALUE_LIMIT, Matcher, Operator, parse_matcher

FACTS = {"type": "batch.completed", "team": "collections", "outcome": ""}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("type = batch.completed", True),
        ("type = batch", False),
        ("type != batch.failed", True),
        ("type != batch.completed", False),
        (r"type =~ batch\..+", True),
        (r'type =~ "batch\.(completed|failed)"', True),
        ("type =~ batch", False),
        ("type =~ completed", False),
        (r'type !~ "batch\.(first_seen|counts_changed)"', True),
        ("type !~ batch.completed", False),
        ("team=collections", True),
        ('  team   =   "collections"  ', True),
    ],
)
def test_a_matcher_compares_the_whole_value(text: str, holds: bool) -> None:
    assert parse_matcher(text).matches(FACTS) is holds


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ('region = ""', True),
        ("region != eu", True),
        ('region != ""', False),
        ('region =~ ".*"', True),
        ('region =~ "eu|"', True),
        ("region =~ .+", False),
        ("region !~ eu", True),
        ('outcome = ""', True),
    ],
)
def test_a_missing_fact_is_the_empty_string(text: str, holds: bool) -> None:
    assert parse_matcher(text).matches(FACTS) is holds


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'name = "batch\.(x|y)"', r"batch\.(x|y)"),
        (r'name = "say \"hi\""', 'say "hi"'),
        (r'name = "one \\ two"', r"one \ two"),
        (r'name = "\\\""', '\\"'),
        (r'name = "\n\t"', r"\n\t"),
        (r'name = "ends in \\"', "ends in \\"),
        ('name = "a, b = c"', "a, b = c"),
        ('name = "two\nlines"', "two\nlines"),
        ('name = ""', ""),
        (r"name = a\.b", r"a\.b"),
        ("name = o'brien.csv", "o'brien.csv"),
        ("name = Übersicht", "Übersicht"),
    ],
)
def test_only_a_quote_and_a_backslash_are_escaped_inside_quotes(text: str, value: str) -> None:
    assert parse_matcher(text).value == value


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("", "must begin with a name"),
        ("= x", "must begin with a name"),
        ("Team = x", "must begin with a name"),
        ("a.b = x", "must begin with a name"),
        ("n" * 64 + " = x", "must begin with a name"),
        ('"type" = x', "must begin with a name"),
        ("type", 'has no operator after "type"'),
        ("type is x", 'has no operator after "type"'),
        ("type ~ x", 'has no operator after "type"'),
        ("type =", 'has no value after "="'),
        ("type !~  ", 'has no value after "!~"'),
        ("type == x", 'needs its value after "=" in double quotes'),
        ("type = a b", "in double quotes"),
        ("type = a, team = b", "in double quotes"),
        ("type = 'x'", "in double quotes"),
        ('type = x"', "in double quotes"),
        ('type = "x', "one closing"),
        ('type = "x" y', "one closing"),
        ('type = "x\\"', "one closing"),
        ('type = "a" "b"', "one closing"),
        ("type =~ (", "does not compile: missing ), unterminated subpattern at position 0"),
        ("type =~ a{99999999999999999999}", "does not compile"),
        ("type !~ *", "does not compile: nothing to repeat at position 0"),
        (f"type =~ {'(' * 9000}{')' * 9000}", "does not compile"),
    ],
)
def test_a_mistake_says_what_is_wrong_and_where(text: str, advice: str) -> None:
    with pytest.raises(ValueError, match=re.escape(advice)):
        parse_matcher(text)


def test_a_matcher_made_by_hand_refuses_a_bad_expression_too() -> None:
    with pytest.raises(ValueError, match="does not compile"):
        Matcher(name="type", op=Operator.MATCHES, value="[")


def test_an_expression_sees_only_the_first_characters_of_a_value() -> None:
    matcher = parse_matcher(f"name =~ a{{{VALUE_LIMIT}}}")

    assert matcher.matches({"name": "a" * (VALUE_LIMIT + 1)})


def test_equality_sees_the_whole_value() -> None:
    matcher = parse_matcher(f"name = {'a' * VALUE_LIMIT}")

    assert not matcher.matches({"name": "a" * (VALUE_LIMIT + 1)})


def test_a_dot_matches_a_line_break() -> None:
    assert parse_matcher("name =~ a.b").matches({"name": "a\nb"})


@pytest.mark.parametrize("name", MATCHER_NAMES)
def test_every_name_of_the_contract_is_accepted(name: str) -> None:
    assert parse_matcher(f"{name} = x").name == name


@given(
    name=st.from_regex(r"[a-z0-9][a-z0-9_-]{0,62}", fullmatch=True),
    op=st.sampled_from([Operator.EQUAL, Operator.NOT_EQUAL]),
    value=st.text(),
)
def test_a_written_matcher_reads_as_itself(name: str, op: Operator, value: str) -> None:
    matcher = Matcher(name=name, op=op, value=value)

    assert parse_matcher(str(matcher)) == matcher


@given(value=st.text(max_size=VALUE_LIMIT), other=st.text(max_size=VALUE_LIMIT))
def test_a_negative_matcher_holds_exactly_when_its_positive_does_not(
    value: str, other: str
) -> None:
    facts = {"name": other}
    for positive, negative, text in (
        (Operator.EQUAL, Operator.NOT_EQUAL, value),
        (Operator.MATCHES, Operator.NOT_MATCHES, re.escape(value)),
    ):
        holds = Matcher(name="name", op=positive, value=text).matches(facts)
        assert holds is (value == other)
        assert Matcher(name="name", op=negative, value=text).matches(facts) is not holds
