"""The console: how wide it is, strangers' text made safe, and the colours of words."""

import os
from collections.abc import Mapping
from typing import Final

from rich.console import Console, RenderableType
from rich.text import Text

from monitor.core.batch import Outcome, Phase
from monitor.core.delivery import DeliveryState, VerdictKind
from monitor.facts.sentence import Sentence, Tone
from monitor.net.redact import printable

PIPE_WIDTH: Final = 100_000
"""Columns where nobody says: one line a row, whatever its length."""
ROOMY: Final = 100
"""Columns from which on a table has all that is shown by default."""

Cell = Text | str
"""A text with its colours, or a plain one, which is made safe where it is shown."""

_STYLES: Final[Mapping[str, str]] = {
    Phase.RUNNING: "cyan",
    Phase.PAUSED: "magenta",
    Phase.UNKNOWN: "red",
    Outcome.COMPLETED: "green",
    Outcome.FAILED: "red",
    Outcome.CANCELLED: "yellow",
    DeliveryState.DELIVERED: "green",
    DeliveryState.DEAD: "red",
    VerdictKind.RETRY: "red",
    VerdictKind.HOLD: "red",
}
_COLOURS: Final[Mapping[Tone, str]] = {
    Tone.PLAIN: "",
    Tone.ASIDE: "dim",
    Tone.GOOD: "green",
    Tone.DOUBTFUL: "yellow",
    Tone.BAD: "red",
}


def make_console() -> Console:
    """Return the console on standard output; into a pipe it breaks no lines."""
    console = Console(highlight=False, markup=False, emoji=False)
    if is_piped():
        console.width = PIPE_WIDTH
    return console


def is_piped() -> bool:
    """Return whether nobody says how wide the output is: all of it is to be whole."""
    return not Console().is_terminal and not os.environ.get("COLUMNS", "").isdigit()


def has_room() -> bool:
    """Return whether a table has room for what is only good to know."""
    return make_console().width >= ROOMY


def put(*lines: RenderableType | Sentence) -> None:
    """Print things to standard output, one below the other."""
    for line in lines:
        make_console().print(say(line) if isinstance(line, Sentence) else line)


def safe(value: object, style: str = "") -> Text:
    """Return strangers' text as it is: no markup, no control characters."""
    return Text(printable(str(value)), style=style)


def text_of(cell: Cell) -> Text:
    """Return a cell as a text with its colours."""
    return cell if isinstance(cell, Text) else safe(cell)


def say(sentence: Sentence) -> Text:
    """Return a sentence in the colour of its tone."""
    return safe(sentence.text, _COLOURS[sentence.tone])


def word(value: str | None) -> Text:
    """Return a phase, an outcome, a state or a verdict in its colour."""
    return safe(value or "", style_of(value or ""))


def style_of(value: str) -> str:
    """Return the colour of a phase, an outcome, a state or a verdict; empty for any other word."""
    return _STYLES.get(value, "")
