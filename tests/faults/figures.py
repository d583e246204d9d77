"""Figures: what a fault harness did and what went wrong, printed as one table after the run."""

import os
from dataclasses import asdict, dataclass

import pytest

VARIABLE = "MONITOR_FAULTS"
FULL = os.environ.get(VARIABLE) == "full"
TIMED = FULL or os.environ.get(VARIABLE) == "timed"
"""Whether promises in seconds are held: only where nothing else runs, as in `make faults`.

`timed` is for planted bugs: the short harness, held to all of them.
"""
_PROPERTY = "figure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Hold one line of the table; `n` says how often, `unit` what was done."""

    harness: str
    n: int
    unit: str
    failures: int
    detail: str = ""

    @property
    def bound(self) -> str:
        """Return how often it fails at most, with 95 % certainty, after so many without failure."""
        return f"{min(1, 3 / self.n):.2g}" if not self.failures and self.n else "-"


class Figures:
    """Take the figures of one test; xdist carries them to where the table is printed."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._properties = request.node.user_properties

    def add(self, harness: str, *, n: int, unit: str, failures: int, detail: str = "") -> None:
        """Note what a harness did, before its result is asserted."""
        figure = Figure(harness=harness, n=n, unit=unit, failures=failures, detail=detail)
        self._properties.append((_PROPERTY, asdict(figure)))


def sized(short: int, full: int) -> int:
    """Return how much to do: the full harness is `make faults`."""
    return full if FULL else short


def print_table(reporter: pytest.TerminalReporter) -> None:
    """Print all figures of a run."""
    reports = [r for kind in ("passed", "failed") for r in reporter.stats.get(kind, [])]
    figures = [
        Figure(**value)
        for report in reports
        if report.when == "call"
        for name, value in report.user_properties
        if name == _PROPERTY
    ]
    if not figures:
        return
    rows = [("harness", "n", "failures", "95 % bound", "")]
    for figure in sorted(figures, key=lambda figure: figure.harness):
        number = f"{figure.n:,} {figure.unit}"
        rows.append((figure.harness, number, str(figure.failures), figure.bound, figure.detail))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    reporter.section("faults")
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        reporter.write_line("  ".join([*cells, row[4]]).rstrip())
