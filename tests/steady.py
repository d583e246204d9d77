"""The whole suite again and again beside busy loops, and a table of how it went: `make steady`.

Whoever types `make test` on a laptop that does other things is to see what it says of the code.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

BUSY: Final = 4
"""Loops that run beside it, and never wait for anything."""
LOGS: Final = Path(".steady")
"""Holds what each run printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Hold how one run of the suite went."""

    number: int
    ended: int
    seconds: float
    log: Path

    @property
    def counts(self) -> dict[str, int]:
        """Return how many tests passed, failed, were skipped and so on, all of pytest's runs."""
        found: dict[str, int] = {}
        for line in re.findall(r"^=+ (.+) in [\d.]+s.*=+$", self.log.read_text(), re.MULTILINE):
            for number, word in re.findall(r"(\d+) (\w+)", line):
                found[word] = found.get(word, 0) + int(number)
        return found

    @property
    def failed(self) -> list[str]:
        """Name the tests that failed."""
        return re.findall(r"^(?:FAILED|ERROR) (\S+)", self.log.read_text(), re.MULTILINE)

    @property
    def cells(self) -> tuple[str, ...]:
        """Return the line of the table."""
        counts = self.counts
        shown = (str(counts.get(word, 0)) for word in ("passed", "failed", "errors", "skipped"))
        return (str(self.number), "no" if self.ended else "yes", f"{self.seconds:.0f}", *shown)


def main() -> None:
    """Run it so many times, `python -m tests.steady 3`; end with 1 unless it was always green."""
    LOGS.mkdir(exist_ok=True)
    runs = []
    with busy_loops():
        for number in range(1, int(sys.argv[1]) + 1):
            runs.append(once(number))
            print(f"run {number}: {'failed' if runs[-1].ended else 'green'}", flush=True)
    rows: list[tuple[str, ...]] = [
        ("run", "green", "seconds", "passed", "failed", "errors", "skipped")
    ]
    rows += [run.cells for run in runs]
    print(f"\nmake test beside {BUSY} busy loops, on {os.cpu_count()} cores")
    for row in rows:
        print("".join(cell.rjust(9) for cell in row))
    for run in runs:
        for name in run.failed:
            print(f"run {run.number}: {name}")
    sys.exit(int(any(run.ended for run in runs)))


def once(number: int) -> Run:
    """Run the suite once; what it prints goes into a file."""
    log, began = LOGS / f"run-{number}.log", time.monotonic()
    with log.open("w") as out:
        done = subprocess.run(["make", "test"], stdout=out, stderr=out, check=False)
    return Run(number=number, ended=done.returncode, seconds=time.monotonic() - began, log=log)


@contextmanager
def busy_loops() -> Iterator[None]:
    """Keep the machine busy with something else."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(BUSY)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


if __name__ == "__main__":
    main()
