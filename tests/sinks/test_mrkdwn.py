import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.sinks.mrkdwn import date, duration, inert, join, units


@given(st.text(), st.integers(min_value=1, max_value=100))
def test_inert_text_keeps_its_limit(text: str, limit: int) -> None:
    assert units(inert(text, limit)) <= limit


def test_an_emoji_is_two_units_as_slack_counts() -> None:
    assert units("a\U0001f4de") == 3
    assert inert("\U0001f4de\U0001f4de", 4) == "\U0001f4de\U0001f4de"
    assert inert("\U0001f4de\U0001f4de", 3) == "\U0001f4de…"


def test_no_entity_is_cut_in_two() -> None:
    assert inert("a&&&", 11) == "a&amp;…"
    assert inert("a&&", 11) == "a&amp;&amp;"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<!channel>", "&lt;!channel&gt;"),
        ("@here", "@\u2060here"),
        ("#general", "#\u2060general"),
        ("http://a.b", "http:\u2060//a.b"),
        ("WWW.a.b", "WWW\u2060.a.b"),
        ("*a* ~b~ `c`", "\u2217a\u2217 \u223cb\u223c \u02cbc\u02cb"),
        ("  customers_2024 final.csv ", "customers_2024 final.csv"),
        ("_x_ __y__ a_b_", "\u02cdx\u02cd \u02cd\u02cdy\u02cd\u02cd a_b\u02cd"),
        (":tada: at 8:30", ":\u2060tada: at 8:30"),
    ],
)
def test_markup_of_strangers_is_dead(text: str, shown: str) -> None:
    assert inert(text, 100) == shown


def test_parts_are_joined_as_long_as_they_fit() -> None:
    assert join(["aa", "bb"], separator=", ", limit=100) == "aa, bb"
    assert join(["a" * 40, "b" * 40, "c"], separator=", ", limit=60) == "a" * 40 + ", and 2 more"
    assert join([], separator=", ", limit=60) == ""


def test_a_date_is_local_to_the_reader_and_utc_without_slack() -> None:
    assert date("2026-01-29T08:31:02.114Z") == (
        "<!date^1769675462^{date_short_pretty} {time_secs}|2026-01-29 08:31:02 UTC>"
    )


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-1, "0 s"),
        (0.4, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (7523, "2 h 5 min"),
        (86400 * 3 + 61, "3 d 1 min"),
    ],
)
def test_a_duration_shows_its_two_largest_units(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown
