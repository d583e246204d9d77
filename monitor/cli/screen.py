"""The screen: strangers' text made safe, local times, and how wide it all may be."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import typer
from rich.console import Console, RenderableType
from rich.text import Text

from monitor.core.batch import Outcome, Phase
from monitor.core.delivery import DeliveryState
from monitor.core.event import stamp
from monitor.net.redact import printable

PIPE_WIDTH: Final = 400
"""Columns where nobody says: one line a row, whatever its length."""
FLUSH_AFTER: Final = 200
"""Items of a JSON array that leave together."""

_STYLES: Final[Mapping[str, str]] = {
    Phase.PENDING: "yellow",
    Phase.RUNNING: "cyan",
    Phase.PAUSED: "magenta",
    Phase.UNKNOWN: "red",
    Outcome.COMPLETED: "green",
    Outcome.FAILED: "red",
    Outcome.CANCELLED: "yellow",
    DeliveryState.DELIVERED: "green",
    DeliveryState.DEAD: "red",
}


def make_console() -> Console:
    """Return the console on standard output; into a pipe it breaks no lines."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal and not os.environ.get("COLUMNS", "").isdigit():
        console.width = PIPE_WIDTH
    return console


def put(renderable: RenderableType) -> None:
    """Print one thing to standard output."""
    make_console().print(renderable)


def safe(value: object, style: str = "") -> Text:
    """Return strangers' text as it is: no markup, no control characters."""
    return Text(printable(str(value)), style=style)


def word(value: str | None) -> Text:
    """Return a phase, an outcome or a state in its colour."""
    return safe(value or "", _STYLES.get(value or "", ""))


def whole(value: str, style: str = "") -> Text:
    """Return a time, or whatever else no column may break over two lines if there is room."""
    text = safe(value, style)
    text.no_wrap = True
    return text


def write_time(at: datetime | None) -> str:
    """Write a time as local with its zone: `2026-01-29 09:31:02 CET`; empty for none."""
    return "" if at is None else at.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def write_short_time(at: datetime | None) -> str:
    """Write a local time of today without its date."""
    if at is None:
        return ""
    local = at.astimezone()
    if local.date() == datetime.now(UTC).astimezone().date():
        return local.strftime("%H:%M:%S %Z")
    return write_time(at)


def stamp_if(at: datetime | None) -> str | None:
    """Write a time as JSON has it, in UTC; null for none."""
    return None if at is None else stamp(at)


def write_latency(duration: timedelta) -> str:
    """Write how long a request took: `132 ms`, `2.4 s`."""
    seconds = duration.total_seconds()
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


class WriteItem(Protocol):
    """Write one item of a JSON array."""

    def __call__(self, item: str | bytes) -> None:
        """Take it as JSON."""


def write_json(document: object) -> None:
    """Write one JSON document; ASCII alone, so that no name can steer a terminal."""
    typer.echo(json.dumps(document, indent=2))


def write_document(body: bytes) -> None:
    """Write one JSON document on a line of its own, at once."""
    typer.echo(_fit_to_show(body))


@contextmanager
def json_array() -> Iterator[WriteItem]:
    """Write a JSON array, a line an item, while its items are found."""
    parts = [b"[\n"]
    written = 0

    def write(item: str | bytes) -> None:
        nonlocal written
        parts.append(b",\n" if written else b"")
        parts.append(_fit_to_show(item))
        written += 1
        if written % FLUSH_AFTER == 0:
            typer.echo(b"".join(parts), nl=False)
            parts.clear()

    yield write
    parts.append(b"\n]")
    typer.echo(b"".join(parts) if written else b"[]")


def _fit_to_show(item: str | bytes) -> bytes:
    """Leave JSON as it is, but not onto a terminal: it may hold control characters."""
    shown = json.dumps(json.loads(item)) if sys.stdout.isatty() else item
    return shown if isinstance(shown, bytes) else shown.encode()
