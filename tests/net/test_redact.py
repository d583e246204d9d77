import base64
import html
import json
import unicodedata
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.net.redact import printable, redact, without_numbers

SECRET = 'whsec_a/b+c=="\\&<~!*'


@pytest.mark.parametrize(
    "shown",
    [
        SECRET,
        SECRET.upper(),
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        quote(quote(SECRET, safe=""), safe=""),
        "".join(f"%{ord(character):02X}" for character in SECRET),
        "".join(f"\\u{ord(character):04x}" for character in SECRET),
        html.escape(SECRET),
        json.dumps(SECRET)[1:-1],
        quote(SECRET, safe="").lower(),
        SECRET.replace("/", "\\/"),
        base64.b64encode(SECRET.encode()).decode(),
    ],
)
def test_a_secret_goes_however_it_is_written(shown: str) -> None:
    text = redact(f"got <{shown}>", [SECRET])

    assert text.startswith("got <[redacted]")
    assert shown not in text


def test_the_words_of_a_secret_go_too() -> None:
    assert redact("token abcdefgh12 is bad", ["Bearer abcdefgh12"]) == "token [redacted] is bad"


def test_a_secret_that_begins_another_leaves_nothing_of_the_longer_one() -> None:
    assert redact("abcdefgh-1234", ["abcdefgh", "abcdefgh-1234"]) == "[redacted]"


def test_text_stays_as_it_is_without_secrets() -> None:
    assert redact("plain text", []) == redact("plain text", [""]) == "plain text"


@given(st.text(min_size=1), st.text(), st.text())
def test_no_secret_survives(secret: str, before: str, after: str) -> None:
    assert secret not in redact(f"{before}\0{secret}\0{after}", [secret]).replace("[redacted]", "")


def test_line_breaks_become_spaces_and_controls_a_mark() -> None:
    assert printable("a\r\n\tb\x1b[31mc\u202ed\u2028e") == "a b\ufffd[31mc\ufffdd e"


@given(st.text(st.characters(exclude_categories=())))
def test_what_is_printable_holds_no_control_and_can_be_encoded(text: str) -> None:
    shown = printable(text)

    shown.encode()
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cs", "Zl", "Zp"}
    assert not {unicodedata.bidirectional(c) for c in shown} & {"RLO", "LRO", "RLE", "LRE", "PDF"}


@pytest.mark.parametrize(
    "number",
    ["+15550108822", "15550108822", "+1 (555) 010-8822", "555.010.8822", "0049 30 1234567"],
)
def test_whatever_could_be_a_phone_number_is_replaced(number: str) -> None:
    assert without_numbers(f"cannot call {number}, sorry") == "cannot call [number], sorry"


def test_short_numbers_and_dates_in_words_stay() -> None:
    assert without_numbers("error 400: row 12345 of 2026") == "error 400: row 12345 of 2026"
