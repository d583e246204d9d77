"""The screen of the demo: one moment, drawn to fit a terminal exactly."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from monitor.core.batch import Watch, progress
from monitor.core.delivery import DeliveryState
from monitor.demo.bar import draw_bar, draw_calls, draw_legend
from monitor.demo.moment import RUNNING, Line, Moment, Totals
from monitor.facts.times import write_latency
from monitor.screen.console import safe, word

_DIM: Final = "bright_black"
_STYLES: Final = {
    "unreachable": "bold red",
    "reachable": "green",
    "first_seen": "blue",
    "status_changed": "cyan",
    "reopened": "magenta",
}
"""Of the last words of event types that are no outcome."""
_WIDE: Final = 110
"""Columns from which everything is written in full."""
_ROOMY: Final = 24
"""Rows from which on colours are explained."""
_FRAME: Final = 6
"""Rows that are neither batches nor events: headings, the legend, an empty row, totals, time."""
_FEWEST_LINES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """How wide the columns are."""

    name: int
    bar: int
    type: int
    what: int
    wide: bool


def draw(moment: Moment, *, width: int, height: int) -> RenderableType:
    """Draw exactly `height` rows, none wider than `width`; what does not fit is left out."""
    columns = _columns(width)
    room = max(height - _FRAME, 0)
    for_lines = min(_FEWEST_LINES, room // 2)
    batches = _draw_batches(moment.watches, columns, rows=room - for_lines)
    lines = _draw_lines(moment.lines, columns, rows=room - len(batches))
    rows = [
        _draw_title(),
        *batches,
        _draw_rest(len(moment.watches) - len(batches), height=height),
        _draw_heading(columns),
        *lines,
        Text(),
        _draw_totals(moment.totals, wide=columns.wide),
        _draw_pace(moment, width),
    ]
    return Group(*(_fit(row, width) for row in rows[:height]))


def _columns(width: int) -> Columns:
    wide = width >= _WIDE
    name = min(max(width * 2 // 9, 10), 24)
    kind = 22 if wide else 14
    bar = max(width // 5, 6)
    what = width - 1 - 8 - 2 - kind - 2 - name - 2 - 2 - 10
    return Columns(name=name, bar=bar, type=kind, what=max(what, 0), wide=wide)


def _fit(row: Text, width: int) -> Text:
    row.no_wrap = True
    row.overflow = "ellipsis"
    row.truncate(width, overflow="ellipsis")
    return row


def _cell(text: Text, width: int) -> Text:
    text.truncate(width, overflow="ellipsis", pad=True)
    return text


def _row(*cells: Text) -> Text:
    return Text(" ") + Text("  ").join(cells)


def _draw_title() -> Text:
    title = Text().append(" monitor demo", "bold")
    return title.append("  simulated Bolna and Vogent → daemon → verified webhooks", _DIM)


def _draw_batches(watches: Sequence[Watch], columns: Columns, *, rows: int) -> list[Text]:
    """Draw as many as fit: those that are settled go first when there is no room."""
    settled_last = sorted(watches, key=_is_settled)
    kept = {watch.batch.row for watch in settled_last[:rows]}
    return [_draw_batch(watch, columns) for watch in watches if watch.batch.row in kept]


def _draw_rest(left_out: int, *, height: int) -> Text:
    """Draw how many batches had no room, or what the colours of the bars stand for."""
    if left_out:
        return _row(Text(f"+{left_out} more", _DIM))
    return _row(draw_legend()) if height >= _ROOMY else Text()


def _is_settled(watch: Watch) -> bool:
    return watch.known is not None and watch.known.settled_at is not None


def _draw_batch(watch: Watch, columns: Columns) -> Text:
    known, percent = watch.known, progress(watch.known).percent
    name = watch.batch.name or (known.name if known else None) or watch.batch.id
    return _row(
        _cell(safe(watch.batch.source, _DIM), 6),
        _cell(safe(name, "bold"), columns.name),
        _cell(_phase(watch), 11),
        _cell(draw_bar(known, columns.bar), columns.bar),
        Text("    " if percent is None else f"{percent:3.0f}%"),
        draw_calls(known, whole=columns.wide),
    )


def _phase(watch: Watch) -> Text:
    """Write in one word where it stands; an end that is not settled yet ends in dots."""
    if watch.failures.unreachable_since is not None:
        return Text("unreachable", _STYLES["unreachable"])
    known = watch.known
    if known is None:
        return Text("…", _DIM)
    standing = word(known.outcome or known.phase)
    return standing.append("…") if known.outcome and not _is_settled(watch) else standing


def _draw_heading(columns: Columns) -> Text:
    cells = ("TIME", 8), ("EVENT", columns.type), ("BATCH", columns.name), ("WHAT", columns.what)
    return _row(*(_cell(Text(name, _DIM), size) for name, size in cells), Text("WEBHOOK", _DIM))


def _draw_lines(lines: Sequence[Line], columns: Columns, *, rows: int) -> list[Text]:
    """Draw the newest at the bottom, empty rows below while there are few."""
    shown = [_draw_line(line, columns) for line in lines[-rows:]] if rows else []
    return shown + [Text() for _ in range(rows - len(shown))]


def _draw_line(line: Line, columns: Columns) -> Text:
    room, _, kind = line.type.partition(".")
    kind_word = safe(kind, _STYLES[kind]) if kind in _STYLES else word(kind)
    typed = Text(f"{room}.", _DIM) + kind_word if columns.wide else kind_word
    return _row(
        Text(line.at.astimezone().strftime("%H:%M:%S"), _DIM),
        _cell(typed, columns.type),
        _cell(safe(line.name), columns.name),
        _cell(safe(line.what, _DIM), columns.what),
        _draw_delivery(line),
    )


def _draw_delivery(line: Line) -> Text:
    if line.state is DeliveryState.DEAD:
        return Text("✗ dead", "bold red")
    if line.latency is None:
        return Text("· pending", _DIM)
    return Text("✓ ", "green").append(write_latency(line.latency))


def _draw_totals(totals: Totals, *, wide: bool) -> Text:
    facts = [
        (f"{totals.events:,}", "events", ""),
        (f"{totals.delivered:,}", "delivered", ""),
        (f"{totals.verified:,}", "verified", "green"),
        (f"{totals.duplicates:,}", "duplicates", ""),
        (f"{totals.bad_signatures:,}", "bad signatures", ""),
    ]
    if wide and totals.median_latency is not None:
        facts.append((write_latency(totals.median_latency), "from reading to verified", ""))
    return _row(
        *(
            Text().append(number, f"bold {style}").append(f" {name}", _DIM)
            for number, name, style in facts
        )
    )


def _draw_pace(moment: Moment, width: int) -> Text:
    """Draw how fast it goes and how much of the show is over."""
    pace = Text().append(f"{moment.totals.polls_per_second:.0f}", "bold").append(" polls/s", _DIM)
    said = _say_time(moment)
    size = max(width - 5 - pace.cell_len - 1 - len(said), 0)
    done = min(int(size * moment.elapsed / moment.seconds), size)
    line = Text("━" * done, "green").append("━" * (size - done), _DIM)
    return _row(pace, line, Text(said, _DIM))


def _say_time(moment: Moment) -> str:
    if moment.doing != RUNNING:
        return f"{moment.doing} …"
    minutes, seconds = divmod(ceil(max(moment.seconds - moment.elapsed, 0)), 60)
    return f"{minutes}:{seconds:02} left, Ctrl-C ends"
