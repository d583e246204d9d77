import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.event import MATCHER_NAMES
from monitor.core.matcher_text import parse_matchers
from monitor.core.matching import Matcher, Operator
from tests.cpu import cpu_seconds


def parse_matcher(text: str) -> Matcher:
    (matcher,) = parse_matchers(text)
    return matcher


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
        (r'name = "\n\t"', "\n\\t"),
        (r'name = "ends in \\"', "ends in \\"),
        ('name = "a, b = c"', "a, b = c"),
        ('name = "two\nlines"', "two\nlines"),
        ('name = ""', ""),
        ("name =", ""),
        (r"name = a\.b", r"a\.b"),
        (r"name = a\n", "a\n"),
        (r"name = a\t", r"a\t"),
        ("name = a\\", "a\\"),
        ("name = o'brien.csv", "o'brien.csv"),
        ("name = two words", "two words"),
        ("name = 'x'", "'x'"),
        ("name == x", "= x"),
        ("name = Übersicht", "Übersicht"),
        ("{name = x}", "x"),
        ("{name = x", "x"),
        ("{name = x}}", "x}"),
        ('{"name" = "x",}', "x"),
    ],
)
def test_a_value_is_read_as_alertmanagers_fallback_mode_reads_it(text: str, value: str) -> None:
    (matcher,) = parse_matchers(text)

    assert (matcher.name, matcher.value) == ("name", value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'my-team = "a\.b"', r"a\.b"),
        (r'my-team = "a\tb"', "a\tb"),
        (r'my-team = "a\.b\\c"', r"a\.b\c"),
        (r'my-team = "\xc3\xa4\u00e4\U000000e4\344"', None),
        (r'my-team = "\xc3\xa4\u00e4\U000000e4\303\244"', "ääää"),
        (r'"my team" = "\a\b\f\n\r\v"', "\a\b\f\n\r\v"),
        ('0team = "x"', "x"),
        ("täam = x", "x"),
    ],
)
def test_a_name_that_only_the_newer_grammar_knows_has_its_escapes(
    text: str, value: str | None
) -> None:
    if value is None:  # no UTF-8: both refuse it, and the tolerant one takes it as it stands
        assert "\\x" in parse_matcher(text).value
    else:
        assert parse_matcher(text).value == value


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", []),
        ("{}", []),
        ("a=1,b!=2", ["a", "b"]),
        ('{a = "1,2", b =~ "x.*" , }', ["a", "b"]),
        ("a=1, b=2, c!~3,", ["a", "b", "c"]),
        ("{a=,b=}", ["a", "b"]),
    ],
)
def test_one_text_may_hold_several_matchers(text: str, names: list[str]) -> None:
    assert [matcher.name for matcher in parse_matchers(text)] == names


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("= x", "needs the name of a label, and has '=' at character 1"),
        (",", "needs the name of a label"),
        ("type", 'needs an operator after "type": =, !=, =~ or !~, and has its end'),
        ("type is x", "and has 'is' at character 6"),
        ("type ~ x", "has '~' at character 6, which must stand within double quotes"),
        ("a=b,,", "needs a matcher after the comma, and has ',' at character 5"),
        ('"my team" = "a\nb"', "holds a line break: write it as"),
        ('type = x"', 'must have a closing " for the one at character 9'),
        ('type = "x', 'must have a closing " for the one at character 8'),
        ('type = "x" y', "needs a comma, or the end, and has 'y' at character 12"),
        ('{type = "x" y}', "needs a comma, or the closing brace, and has 'y' at character 13"),
        ("type =~ (", "'(' does not compile: missing )"),
        ('type =~ "a{9999}"', "does not compile: invalid repetition"),
        ("type !~ *", "does not compile: no argument for repetition operator: *"),
        (r'type =~ "(?=x)"', "does not compile: invalid perl operator: (?="),
    ],
)
def test_a_mistake_says_what_is_wrong_and_where(text: str, advice: str) -> None:
    with pytest.raises(ValueError, match=re.escape(advice)):
        parse_matchers(text)


def test_a_matcher_made_by_hand_refuses_a_bad_expression_too() -> None:
    with pytest.raises(ValueError, match="does not compile"):
        Matcher(name="type", op=Operator.MATCHES, value="[")


def test_a_dot_matches_no_line_break() -> None:
    assert not parse_matcher("name =~ a.b").matches({"name": "a\nb"})
    assert parse_matcher('name =~ "(?s)a.b"').matches({"name": "a\nb"})


HOSTILE = (
    *(r"(\w+\s?)+\.csv", "(a+)+b", "(a|aa)+b", "(a|a?)+b", "(.*a){12}", "(.*)*x", "([a-z]+)*[0-9]"),
    *("(a*)*b", "(x+x+)+y", "(([a-z])+.)+[A-Z]([a-z])+", "(.*),(.*),(.*),(.*)z", "((a*)*)*b"),
    *(r"(\s*\w\s*)*;", "a?" * 20 + "a" * 20, "(?:a|b|ab)*c", r"(\d+|[a-z]+|\s+)*!", ".*.*.*=.*"),
    *("(a{1,5}){1,9}b", "(?i)(A+)+B", "([^x]*x?)*y"),
)


@pytest.mark.parametrize("expression", HOSTILE)
def test_what_a_hostile_expression_costs_grows_with_the_value_and_no_faster(
    expression: str,
) -> None:
    matcher = Matcher(name="name", op=Operator.MATCHES, value=expression)

    def cost(length: int) -> float:
        facts = {"name": "a" * length}
        matcher.matches(facts)
        return min(
            cpu_seconds(lambda: [matcher.matches(facts) for _ in range(50)]) for _ in range(5)
        )

    assert cost(10_000) <= 12 * cost(1_000)


@pytest.mark.parametrize("name", MATCHER_NAMES)
def test_every_name_of_the_contract_is_accepted(name: str) -> None:
    assert parse_matcher(f"{name} = x").name == name


@given(
    name=st.from_regex(r"[a-z0-9][a-z0-9_-]{0,62}", fullmatch=True) | st.text(min_size=1),
    op=st.sampled_from([Operator.EQUAL, Operator.NOT_EQUAL]),
    value=st.text(),
)
def test_a_written_matcher_reads_as_itself(name: str, op: Operator, value: str) -> None:
    matcher = Matcher(name=name, op=op, value=value)

    assert parse_matcher(str(matcher)) == matcher


@given(value=st.text(max_size=256), other=st.text(max_size=256))
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
