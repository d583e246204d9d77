"""Text that strangers wrote, made fit to show: without secrets, without control characters."""

import base64
import html
import json
import re
from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import Final
from urllib.parse import quote_plus

Redact = Callable[[str], str]
"""Replaces secrets in a text."""
REDACTED: Final = "[redacted]"

_NO_SECRET: Final = re.compile(r"\d{4}-\d{2}-\d{2}|v?\d{1,2}(\.\d{1,3})*|.{,3}")
"""A date or a version, or too short to be told from other text."""

_SHORTEST_WORD: Final = 8
_NUMBER: Final = re.compile(r"\+?\d(?:[ ().-]{0,2}\d){6,}")
_BLANKS: Final = re.compile("[\t\n\r\x0b\x0c\x85\u2028\u2029]+")
_CONTROLS: Final = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # turn the direction of the text around
    "\u2028\u2029\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f"  # invisible tags
    "\ud800-\udfff"  # lone surrogates: no UTF-8
    "]"
)


def without_numbers(text: str) -> str:
    """Replace whatever could be a phone number: seven digits and more, grouped or not."""
    return _NUMBER.sub("[number]", text)


def redact(text: str, secrets: Iterable[str]) -> str:
    """Replace the secrets, as they are and as URLs, JSON, HTML and base64 write them."""
    return redacting(secrets)(text)


def redacting(secrets: Iterable[str]) -> Redact:
    """Return what redacts these secrets, for many texts; another process can be told it."""
    forms = {form for secret in secrets for form in _forms(secret)}
    if not forms:
        return str
    longest_first = sorted(forms, key=len, reverse=True)
    pattern = "|".join("".join(map(_spellings, form)) for form in longest_first)
    return partial(_replace, re.compile(pattern, re.IGNORECASE), min(map(len, forms)))


def _replace(pattern: re.Pattern[str], shortest: int, text: str) -> str:
    return text if len(text) < shortest else pattern.sub(REDACTED, text)


def tellable(values: Iterable[str]) -> list[str]:
    """Return those values of headers and parameters that can be told from other text."""
    return [value for value in values if not _NO_SECRET.fullmatch(value)]


def printable(text: str) -> str:
    """Replace line breaks and tabs by a space, other control and direction characters by `�`."""
    return _CONTROLS.sub("\ufffd", _BLANKS.sub(" ", text))


def _forms(secret: str) -> Iterable[str]:
    """Yield how a secret may show; its longer words too (`Bearer …`, several signing keys)."""
    words = {word for word in secret.split() if len(word) >= _SHORTEST_WORD}
    for part in {secret, *words} - {""}:
        yield part
        yield base64.b64encode(part.encode(errors="replace")).decode().rstrip("=")


@cache
def _spellings(character: str) -> str:
    """Return the pattern of a character as it is, in a URL, in one within a URL, JSON and HTML."""
    octets = character.encode(errors="surrogatepass")
    units = character.encode("utf-16-be", errors="surrogatepass")
    written = {
        character,
        "".join(f"%{octet:02x}" for octet in octets),
        "".join(f"%25{octet:02x}" for octet in octets),
        "".join(
            f"\\u{high:02x}{low:02x}" for high, low in zip(units[::2], units[1::2], strict=True)
        ),
        json.dumps(character)[1:-1],
        f"\\{character}",
        f"&#{ord(character)};",
        f"&#x{ord(character):x};",
        html.escape(character),
        quote_plus(character, errors="replace"),
    }
    longest_first = sorted(written, key=len, reverse=True)
    return f"(?:{'|'.join(map(re.escape, longest_first))})"
