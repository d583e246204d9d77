"""A page: what is known of one thing, label by label."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from rich.table import Table
from rich.text import Text

from monitor.core.batch import Knowledge, Progress
from monitor.facts.calls import write_left_open, write_progress
from monitor.facts.delivery import DeliveryFacts
from monitor.facts.times import write_short_time, write_time
from monitor.screen.console import Cell, put, safe, text_of, word

BAR_WIDTH = 24

Fact = tuple[str, Cell]
"""A label, and what stands beside it; nothing is shown of one that is empty."""


def show_page(title: Text, facts: Iterable[Fact]) -> None:
    """Print a title and the facts that are not empty."""
    put(title)
    show_facts(facts)


def show_facts(facts: Iterable[Fact]) -> None:
    """Print the facts that are not empty, a row each."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, value in facts:
        if value:
            grid.add_row(safe(label), text_of(value))
    put(grid)


def show_heading(text: str) -> None:
    """Print the heading of a part, after an empty line."""
    put(Text(f"\n{text}", style="bold"))


def list_words(*words: Text) -> Text:
    """Join the words that are not empty by commas."""
    return Text(", ").join(word for word in words if word)


def write_labels(labels: Mapping[str, str]) -> str:
    """Write labels as matchers do: `env=prod  team=collections`."""
    return "  ".join(f"{name}={value}" for name, value in labels.items())


def write_phase(known: Knowledge | None) -> Text:
    """Write where a batch stands: phase, outcome, what lasts too long, and whether it settled."""
    if known is None:
        return safe("not read yet", "dim")
    parts = [word(known.phase), word(known.outcome)]
    if known.settled_at is not None:
        parts += [safe(f"settled {write_time(known.settled_at)}"), safe(write_left_open(known))]
    elif known.outcome is not None:
        parts.append(safe("not settled"))
    if known.stalled_at is not None:
        parts.append(_since("stalled", known.changed_at))
    if known.is_overdue:
        parts.append(_since("overdue", known.scheduled_at))
    return list_words(*parts)


def _since(what: str, at: datetime | None) -> Text:
    return safe(f"{what} since {write_short_time(at)}", "red")


def write_standing(delivery: DeliveryFacts) -> Text:
    """Write a delivery's state, and what a pending one waits for."""
    return list_words(word(delivery.view.state), safe(delivery.wait))


def draw_progress(measured: Progress, *, width: int = BAR_WIDTH) -> Text:
    """Draw a bar beside how far the calls are, where there is a percentage."""
    words = safe(write_progress(measured))
    if measured.percent is None:
        return words
    filled = int(width * measured.percent / 100)
    bar = Text("█" * filled, style="green") + Text("░" * (width - filled), style="dim")
    return bar + Text("  ") + words
