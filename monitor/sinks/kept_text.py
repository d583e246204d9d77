"""What is kept of a receiver's answer: up to 4 KiB of a failure's text, fit to show."""

from collections.abc import Iterable
from typing import Final

from monitor.net.redact import printable, redact, without_numbers

READ_LIMIT: Final = 64 * 1024
KEPT_LIMIT: Final = 4 * 1024
"""In bytes."""


def kept_text(body: bytes, *, secrets: Iterable[str]) -> str | None:
    """Return the text of a failure's body, or none if it is empty.

    Secrets and phone numbers go before the cut: a half of one would not be found.
    """
    whole = body[:READ_LIMIT].decode(errors="replace")
    text = printable(without_numbers(redact(whole, secrets))).strip()
    return text.encode()[:KEPT_LIMIT].decode(errors="ignore") or None
