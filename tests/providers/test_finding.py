import pytest

from monitor.providers.expression import parse_expression
from monitor.providers.finding import make_finding

X = parse_expression("x")
COUNTS = "must be an object of numbers by call status, or an array with the status of each call"
STATUS = "a printable text of 1 to 64 bytes"
NUMBER = "must be a whole number of at least 0, or -1 for unknown"
TIME = "must be a time: ISO 8601, or seconds or milliseconds since 1970"


@pytest.mark.parametrize(
    ("key", "found", "problem"),
    [
        ("id", None, "must be a text or a whole number; found null"),
        ("id", [], "must be a text or a whole number; found an array"),
        ("status", {"word": "on"}, f"must be a status word: {STATUS}; found an object"),
        ("status", None, f"must be a status word: {STATUS}; found null"),
        ("status", "", f"must be a status word: {STATUS}; found an empty text"),
        ("status", "x" * 65, f"must be a status word: {STATUS}; found a text of 65 characters"),
        ("total", "many", f"{NUMBER}; found a text"),
        ("total", True, f"{NUMBER}; found true or false"),
        ("total", 40.5, f"{NUMBER}; found a number that is not whole"),
        ("valid", -3, f"{NUMBER}; found a negative number"),
        ("valid", 2**63, f"{NUMBER}; found a number that is too large"),
        ("counts", 40, f"{COUNTS}; found a number"),
        ("counts", ["a", {"status": "a"}], f"{COUNTS}; found an array with an object in it"),
        ("counts", {"": 1}, f"must name every call status by {STATUS}; found an empty text"),
        (
            "counts",
            {"a": -2},
            "must give every call status a whole number of at least 0, or -1 for unknown;"
            " found a negative number",
        ),
        (
            "counts",
            {str(number): 1 for number in range(33)},
            "must hold at most 32 call statuses; found 33",
        ),
        ("counts", {"a": 2**63 - 1, "b": 1}, "must sum up to at most 9223372036854775807"),
        ("name", 7, "must be a text; found a number"),
        ("name", "a\0", "must be a text without NUL and surrogates; found a text"),
        ("scheduled_at", True, f"{TIME}; found true or false"),
        ("scheduled_at", 10**30, f"{TIME}; found a number that is too large"),
    ],
)
def test_a_value_that_does_not_fit_breaks_a_rule_that_shows_nothing_of_it(
    key: str, found: object, problem: str
) -> None:
    finding = make_finding(key, X, {"x": found})

    assert (finding.value, finding.problem, finding.note) == (found, problem, None)


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("id", 42),
        ("status", "on"),
        ("counts", None),
        ("counts", []),
        ("total", "7"),
        ("name", ""),
        ("scheduled_at", None),
        ("scheduled_at", "2026-01-29T08:30:00Z"),
    ],
)
def test_a_value_that_fits_needs_no_word(key: str, found: object) -> None:
    finding = make_finding(key, X, {"x": found})

    assert (finding.problem, finding.note) == (None, None)


def test_a_text_that_is_no_time_is_marked() -> None:
    finding = make_finding("scheduled_at", X, {"x": "tomorrow"})

    assert (finding.problem, finding.note) == (None, "not understood: taken for none")


@pytest.mark.parametrize("found", [-1, -1.0, "-1"])
def test_minus_one_stands_for_unknown(found: object) -> None:
    finding = make_finding("total", X, {"x": found})

    assert (finding.problem, finding.note) == (None, "stands for unknown")
