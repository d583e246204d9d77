"""A page: what is known of one thing, label by label."""

from collections.abc import Iterable, Mapping

from rich.table import Table
from rich.text import Text

from monitor.cli.screen import put, safe, word, write_short_time, write_time
from monitor.core.batch import Counts, Knowledge, Progress, Reading

BAR_WIDTH = 24


def show_page(title: Text, facts: Iterable[tuple[str, Text]]) -> None:
    """Print a title and the facts that are not empty."""
    put(title)
    show_facts(facts)


def show_facts(facts: Iterable[tuple[str, Text]]) -> None:
    """Print the facts that are not empty, a row each."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, value in facts:
        if value:
            grid.add_row(safe(label), value)
    put(grid)


def show_heading(text: str) -> None:
    """Print the heading of a part, after an empty line."""
    put(Text(f"\n{text}", style="bold"))


def write_labels(labels: Mapping[str, str]) -> Text:
    """Write labels as matchers do: `env=prod team=collections`."""
    return safe("  ".join(f"{name}={value}" for name, value in labels.items()))


def write_counts(counts: Counts | None) -> Text:
    """Write the calls per status, most first."""
    if counts is None:
        return safe("")
    most_first = sorted(counts.items(), key=lambda item: -item[1])
    return safe(", ".join(f"{number:,} {status}" for status, number in most_first) or "none")


def write_phase(known: Knowledge | None) -> Text:
    """Write where a batch stands: phase, outcome, what lasts too long, and whether it settled."""
    if known is None:
        return safe("not read yet", "dim")
    parts = [word(known.phase), word(known.outcome)]
    if known.settled_at is not None:
        parts.append(safe(f"settled {write_time(known.settled_at)}"))
        parts.append(safe(write_left_open(known)))
    elif known.outcome is not None:
        parts.append(safe("not settled"))
    if known.stalled_at is not None:
        parts.append(safe(f"stalled since {write_short_time(known.changed_at)}", "red"))
    if known.is_overdue:
        parts.append(safe(f"overdue since {write_short_time(known.scheduled_at)}", "red"))
    return Text(", ").join(part for part in parts if part)


def write_left_open(known: Knowledge) -> str:
    """Write how many calls an end left open; empty when none is, or it has not settled."""
    if known.settled_at is None or not known.open_calls:
        return ""
    return f"{known.open_calls:,} call{'' if known.open_calls == 1 else 's'} left open"


def write_progress(measured: Progress) -> Text:
    """Write how far the calls are: percent, finished and open calls."""
    if measured.finished is None or measured.open is None:
        return safe("" if measured.total is None else f"{measured.total:,} calls, none counted yet")
    words = f"{measured.finished:,} finished, {measured.open:,} open"
    if measured.percent is None or measured.total is None:
        return safe(words)
    return safe(f"{measured.percent:g}%  {words} of {measured.total:,}")


def draw_progress(measured: Progress, *, width: int = BAR_WIDTH) -> Text:
    """Draw a bar beside those words, where there is a percentage."""
    words = write_progress(measured)
    if measured.percent is None:
        return words
    filled = int(width * measured.percent / 100)
    bar = Text("█" * filled, style="green") + Text("░" * (width - filled), style="dim")
    return bar + Text("  ") + words


def write_contacts(known: Knowledge | Reading | None) -> Text:
    """Write how many contacts there are; empty when nobody said."""
    if known is None:
        return safe("")
    totals = {"valid": known.valid_contacts, "in all": known.total_contacts}
    return safe(
        ", ".join(f"{total:,} {kind}" for kind, total in totals.items() if total is not None)
    )
