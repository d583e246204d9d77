"""What is kept of a receiver's answer: up to 4 KiB of a failure's text, fit to show."""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote, unquote_plus, urlsplit

from monitor.net.redact import printable, redact, without_numbers

READ_LIMIT: Final = 64 * 1024
KEPT_LIMIT: Final = 4 * 1024
"""In bytes."""

_SHORTEST_KEY: Final = 16
"""Shorter parts of a path are taken for plain words."""
_SHORTEST_TARGET: Final = 8
"""A shorter path or query is found in any text: hiding it would blacken the receiver's answers."""


def kept_text(body: bytes, *, secrets: Iterable[str]) -> str | None:
    """Return the text of a failure's body, or none if it is empty.

    Secrets and phone numbers go before the cut: a half of one would not be found.
    """
    whole = body[:READ_LIMIT].decode(errors="replace")
    text = printable(without_numbers(redact(whole, secrets))).strip()
    return text.encode()[:KEPT_LIMIT].decode(errors="ignore") or None


def url_secrets(url: str) -> tuple[str, ...]:
    """Return the parts of a URL that must not show: its path or query may hold the key."""
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    words = [*parts.path.split("/"), *re.split("[&=]", parts.query)]
    words += [unquote_plus(word) for word in words] + [unquote(word) for word in words]
    long = (word for word in dict.fromkeys(words) if len(word) >= _SHORTEST_KEY)
    whole = (target, parts.path, parts.query)
    return (url, *(part for part in whole if len(part) >= _SHORTEST_TARGET), *long)
