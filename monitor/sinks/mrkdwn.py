"""Slack's markup: strangers' text made inert, times and durations made readable."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import accumulate
from typing import Final

from monitor.net.redact import printable

_ESCAPES: Final = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    "*": "\u2217",  # from here on they look alike, but format nothing
    "~": "\u223c",
    "`": "\u02cb",
}
_JOINER: Final = "\u2060"
_LINKABLE: Final = re.compile(r"(?<=[@#])(?=\S)|(?<=:)(?=//)|(?<=www)(?=\.)", re.IGNORECASE)
"""Where Slack would start to see a mention, a channel, an address or a link."""


def inert(value: str, limit: int) -> str:
    """Return strangers' text with all markup, mentions and links dead, escaped, at most `limit`."""
    text = _LINKABLE.sub(_JOINER, printable(value).strip())
    parts = [_ESCAPES.get(character, character) for character in text]
    if sum(map(len, parts)) <= limit:
        return "".join(parts)
    lengths = accumulate(map(len, parts))
    fitting = sum(length < limit for length in lengths)
    return "".join(parts[:fitting]) + "…"


def join(parts: Iterable[str], *, separator: str, limit: int) -> str:
    """Join as many parts as fit into `limit` characters and say how many are left out."""
    left = list(parts)
    room = limit - len(f"{separator}and {len(left)} more")
    kept: list[str] = []
    for part in left:
        room -= len(part) + len(separator)
        if room < 0:
            break
        kept.append(part)
    missing = len(left) - len(kept)
    return separator.join([*kept, f"and {missing} more"] if missing else kept)


def date(stamp: str, *, seconds: bool = True) -> str:
    """Write a time of an event so that everybody sees it in their own zone."""
    at = datetime.fromisoformat(stamp).astimezone(UTC)
    fallback = at.strftime(f"%Y-%m-%d %H:%M{':%S' if seconds else ''} UTC")
    time = "{time_secs}" if seconds else "{time}"
    return f"<!date^{int(at.timestamp())}^{{date_short_pretty}} {time}|{fallback}>"


def duration(seconds: float) -> str:
    """Write a duration in its two largest units: `2 h 5 min`."""
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    rest = max(0, int(seconds))
    words = []
    for unit, size in units:
        count, rest = divmod(rest, size)
        if count:
            words.append(f"{count} {unit}")
    return " ".join(words[:2]) or "0 s"
