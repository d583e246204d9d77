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
_LINKABLE: Final = re.compile(
    r"(?<=[@#])(?=\S)|(?<=:)(?=//)|(?<=www)(?=\.)|(?<=:)(?=[^\s:]+:)", re.IGNORECASE
)
"""Where Slack would start to see a mention, a channel, an address, a link or an emoji."""
_UNDERLINE: Final = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
"""An underscore that may begin or end italics: none within a word does."""
_LOOKALIKE: Final = "\u02cd"


def units(text: str) -> int:
    """Measure a text as Slack does, in UTF-16 code units: an emoji is two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def inert(value: str, limit: int) -> str:
    """Return strangers' text with all markup, mentions and links dead, escaped, at most `limit`."""
    text = _UNDERLINE.sub(_LOOKALIKE, _LINKABLE.sub(_JOINER, printable(value).strip()))
    parts = [_ESCAPES.get(character, character) for character in text]
    lengths = list(accumulate(map(units, parts)))
    if not lengths or lengths[-1] <= limit:
        return "".join(parts)
    fitting = sum(length < limit for length in lengths)
    return "".join(parts[:fitting]) + "…"


def join(parts: Iterable[str], *, separator: str, limit: int) -> str:
    """Join as many parts as fit into `limit` units and say how many are left out."""
    left = list(parts)
    room = limit - len(f"{separator}and {len(left)} more")
    kept: list[str] = []
    for part in left:
        room -= units(part) + len(separator)
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
