"""One run of the bench: rounds in which all measurements take turns, on each kind of database."""

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.bench import Bench, Sizes
from tests.benchmarks.databases import open_databases
from tests.benchmarks.rows import MEASUREMENTS, ROWS, Round, Row
from tests.benchmarks.target import run_target


@dataclass(slots=True, kw_only=True)
class Run:
    """Hold what was asked for, and what each round found."""

    rows: Sequence[Row]
    kinds: Sequence[str]
    rounds: int
    sizes: Sizes
    target: str = ""
    found: dict[str, list[Round]] = field(default_factory=dict)
    """By the kind of database."""

    def lines(self) -> Iterator[tuple[Row, str, list[float]]]:
        """Yield each row with a kind of database and its values, round by round."""
        for row in self.rows:
            for kind, rounds in self.found.items():
                if row in self.rows_on(kind):
                    yield row, kind, [row.value(found) for found in rounds]

    def rows_on(self, kind: str) -> list[Row]:
        """Return the rows that there are for a kind of database."""
        return [row for row in self.rows if kind == "postgresql" or not row.postgres_only]

    def measure(self) -> None:
        """Do all measurements; in a round each comes once, so that noise hits all alike."""
        with tempfile.TemporaryDirectory(prefix="monitor-bench-") as name:
            for kind in self.kinds:
                folder = Path(name) / kind
                folder.mkdir()
                with run_target(folder) as target, open_databases(kind, folder) as databases:
                    self.target = target.kind
                    bench = Bench(
                        sizes=self.sizes, target=target, databases=databases, folder=folder
                    )
                    self.found[kind] = [
                        self._round(bench, f"{kind}, round {n + 1} of {self.rounds}")
                        for n in range(self.rounds)
                    ]

    def _round(self, bench: Bench, title: str) -> Round:
        kind = title.partition(",")[0]
        needed = {name for row in self.rows_on(kind) for name in row.needs}
        found = {}
        for name, measurement in MEASUREMENTS.items():
            if name in needed:
                began = time.monotonic()
                found[name] = measurement(bench)
                seconds = time.monotonic() - began
                print(f"{title}: {name} ({seconds:.0f} s)", file=sys.stderr, flush=True)
        return found


def chosen(numbers: Sequence[str]) -> list[Row]:
    """Return the rows of these numbers, with what belongs to them; all of none."""
    return [row for row in ROWS if not numbers or row.number.rstrip("b") in numbers]
