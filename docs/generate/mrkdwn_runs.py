"""Slack's markup as runs: pieces of a line that look alike."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from html import unescape
from typing import Final

_SPAN: Final = re.compile(
    r"<!date\^(?P<at>\d+)\^[^|>]*\{(?P<how>time|time_secs)\}\|[^>]*>"
    r"|<(?P<address>[^|>]+)\|(?P<link>[^>]+)>"
    r"|(?<!\w)\*(?P<bold>[^*\n]+)\*(?!\w)|`(?P<code>[^`\n]+)`"
    r"|(?<!\w)_(?P<italic>[^_\n]+)_(?!\w)"
    r"|(?P<bar>[█░]+)"
)
_INVISIBLE: Final = dict.fromkeys(map(ord, "\u2060\ufe0f"))


@dataclass(frozen=True, slots=True)
class Run:
    """A text and its look: empty, or bold, italic, link, code, bar."""

    text: str
    look: str = ""


def lines_of(mrkdwn: str) -> list[list[Run]]:
    """Return the lines of a text in Slack's markup."""
    return [list(_runs(line)) for line in mrkdwn.split("\n")]


def _runs(line: str) -> Iterator[Run]:
    done = 0
    for found in _SPAN.finditer(line):
        yield from _plain(line[done : found.start()])
        done = found.end()
        if found["at"]:
            yield Run(_date(int(found["at"]), seconds=found["how"] == "time_secs"))
            continue
        look = found.lastgroup or ""
        yield Run(_shown(found[look]), look)
    yield from _plain(line[done:])


def _plain(text: str) -> Iterator[Run]:
    if text:
        yield Run(_shown(text))


def _shown(text: str) -> str:
    return unescape(text).translate(_INVISIBLE)


def _date(stamp: int, *, seconds: bool) -> str:
    at = datetime.fromtimestamp(stamp, UTC)
    return f"{at:%b} {at.day}, {at.year} {clock(at, ':%S' if seconds else '')}"


def clock(at: datetime, seconds: str = "") -> str:
    """Write a time of day as Slack does."""
    return f"{at.hour % 12 or 12}{at.strftime(f':%M{seconds} %p')}"
