"""The signature of a webhook: Standard Webhooks 1.0, symmetric, `v1`."""

import base64
import hmac
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

SHORTEST_KEY: Final = 24
LONGEST_KEY: Final = 64
_PREFIX: Final = "whsec_"


@lru_cache(maxsize=64)
def parse_keys(secret: str) -> tuple[bytes, ...]:
    """Return the signing keys of a secret; raise ValueError, which never shows it, for others.

    A secret is one or more of `whsec_` + base64 of 24 to 64 bytes, separated by spaces.
    """
    keys = tuple(_parse_key(word) for word in secret.split())
    if not keys:
        raise ValueError("must not be empty")
    return keys


def _parse_key(word: str) -> bytes:
    try:
        key = base64.b64decode(word.removeprefix(_PREFIX), validate=True)
    except ValueError:
        key = b""
    if not word.startswith(_PREFIX) or not SHORTEST_KEY <= len(key) <= LONGEST_KEY:
        raise ValueError(
            'must be "whsec_" and base64 of 24 to 64 bytes (several separated by spaces); '
            "`monitor init` writes a fresh one"
        )
    return key


def sign(keys: Iterable[bytes], *, event_id: str, timestamp: int, body: bytes) -> str:
    """Return the `webhook-signature` header: one signature per key, over `id.timestamp.body`."""
    signed = f"{event_id}.{timestamp}.".encode() + body
    digests = (hmac.digest(key, signed, "sha256") for key in keys)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)
