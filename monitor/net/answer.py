"""An answer of a stranger's HTTP server, once it is here."""

from collections.abc import Callable
from typing import Final

from monitor.core.value import value

USABLE: Final = frozenset({200, 203})
"""The answers that bring a document; a 203 has been through a proxy that changed it."""

Take = Callable[[bytes], None]
"""Takes a body part by part; what it raises, but for a ValueError, ends the request."""


@value
class Answer:
    """An answer, whatever its status."""

    status_code: int
    body: bytes
    """Unpacked and in UTF-8. Cut at the limit, or short of what broke, where the head decides."""
    retry_after: str | None
    """As sent; see `parse_retry_after`."""
