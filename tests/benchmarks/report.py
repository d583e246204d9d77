"""The report of a run: the targets with what was measured, as text and as JSON."""

import os
import platform
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any, Final

from tests.benchmarks.rows import SIZES, Row
from tests.benchmarks.run import Run

Cells = tuple[str, ...]
_BAR: Final = 50
_FIGURES: Final = {
    "per CPU second": "per_cpu_second",
    "CPU seconds": "cpu_seconds",
    "CPU µs each": "cpu_us_each",
    "Postgres' own": "postgres_us_each",
    "peak MiB": "peak_mib",
}
"""The columns of what was measured, and the figures that they show."""


def as_text(run: Run) -> str:
    """Return the table of targets, what it was worked out from, and the chart as bars."""
    head = (
        f"target: {run.target} · {run.rounds} rounds of {run.sizes.seconds:g} s"
        f" · Python {platform.python_version()} · {os.cpu_count()} CPUs · {platform.machine()}"
    )
    parts = [head, _table(_target_lines(run)), _table(_measured_lines(run)), _bars(run)]
    return "\n\n".join(part for part in parts if part) + "\n"


def as_json(run: Run) -> dict[str, Any]:
    """Return the same as data, with every round."""
    return {
        "target": run.target,
        "rounds": run.rounds,
        "seconds": run.sizes.seconds,
        "batches": list(run.sizes.batches),
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "machine": platform.machine(),
        "rows": [
            {
                "row": row.number,
                "what": row.what,
                "database": kind,
                "values": values,
                "min": min(values),
                "median": median(values),
                "max": max(values),
                "target": row.bound,
                "at_most": row.at_most,
                "met": None if row.bound is None else row.met(median(values)),
            }
            for row, kind, values in run.lines()
        ],
        "measurements": {
            kind: [dict(found) for found in rounds] for kind, rounds in run.found.items()
        },
    }


def costs(run: Run) -> dict[str, list[tuple[int, float]]]:
    """Return the CPU µs of a poll by registered batches, for each kind of database."""
    return {
        kind: [
            (int(rounds[0][size]["batches"]), median(r[size]["cpu_us_each"] for r in rounds))
            for size in SIZES
        ]
        for kind, rounds in run.found.items()
        if all(size in rounds[0] for size in SIZES)
    }


def _target_lines(run: Run) -> Iterable[Cells]:
    yield ("", "what", "database", "min", "median", "max", "target", "")
    for row, kind, values in run.lines():
        numbers = [_number(value) for value in (min(values), median(values), max(values))]
        yield (row.number, row.what, kind, *numbers, _target(row), _verdict(row, median(values)))


def _target(row: Row) -> str:
    if row.bound is None:
        return "-"
    return f"{'≤' if row.at_most else '≥'} {_number(row.bound)}"


def _verdict(row: Row, value: float) -> str:
    if row.bound is None:
        return "for comparison"
    if row.met(value):
        return "met"
    short = abs(value - row.bound)
    return f"missed by {_number(short)} ({short / row.bound:.0%})"


def _measured_lines(run: Run) -> Iterable[Cells]:
    """Lay out what each measurement found: the median of the rounds (and the range)."""
    yield ("measured", "database", *_FIGURES, "and")
    for kind, rounds in run.found.items():
        for name in rounds[0]:
            found = {figure: [r[name][figure] for r in rounds] for figure in rounds[0][name]}
            cells = [_spread(found[f]) if f in found else "-" for f in _FIGURES.values()]
            others = [f"{f} {_spread(v)}" for f, v in found.items() if f not in _FIGURES.values()]
            yield (name, kind, *cells, ", ".join(others))


def _bars(run: Run) -> str:
    found = costs(run)
    if not found:
        return ""
    most = max(cost for line in found.values() for _, cost in line)
    lines = ["CPU per poll by registered batches"]
    for kind, line in found.items():
        lines += [
            f"{kind:<10}  {batches:>9,}  {'█' * round(_BAR * cost / most)} {cost:.0f} µs"
            for batches, cost in line
        ]
    return "\n".join(lines)


def _spread(values: Sequence[float]) -> str:
    """Write the median, and between which values it lies, if there are several."""
    if min(values) == max(values):
        return _number(values[0])
    return f"{_number(median(values))} ({_number(min(values))} to {_number(max(values))})"


def _number(value: float) -> str:
    value = round(value, 2) + 0.0  # no minus before a zero
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 20 else f"{value:.2f}"


def _table(lines: Iterable[Cells]) -> str:
    rows: Sequence[Cells] = list(lines)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
