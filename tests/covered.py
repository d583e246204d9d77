"""What the tests reach: `-p tests.covered` notes it, `python -m tests.covered` knows the bounds.

Slipcover rewrites what is imported, and takes out again what has been reached: the tests take a
tenth longer. Coverage's tracer, on Python before 3.12, took a third of all time. The programs that
tests start are not followed: whatever they run is tested in a worker too.
"""

import json
import os
import re
import sys
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).parents[1]
BOUNDS: Final = {"monitor/core": 100, "monitor/engine": 95, "monitor": 92}
"""Percent of lines and branches that must be reached."""
EXCLUDED: Final = ["case never:", r"assert_never\(", r"^ *\.\.\.$"]
"""Lines that nothing can reach: mypy proves the first two, the others are bodies of protocols."""
WORKER: Final = os.environ.get("PYTEST_XDIST_WORKER")


def _follow() -> Any:
    """Follow what is imported of the monitor from now on."""
    from slipcover import Slipcover
    from slipcover.importer import FileMatcher, ImportManager

    source = [str(ROOT / "monitor")]
    followed = Slipcover(branch=True, source=source, exclude_also=EXCLUDED)
    ImportManager(followed, FileMatcher(sources=source)).__enter__()
    return followed


if WORKER is not None:  # the others run no test
    _followed = _follow()

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish() -> None:
        """Write down what this worker's tests reached, while it is still waited for.

        Once it has said that it is done, it has ten seconds before it is killed.
        """
        (ROOT / f".coverage.{WORKER}").write_text(json.dumps(_followed.get_coverage()))


def main() -> None:
    """Print what was not reached, file by file; exit with 1 if a bound does not hold."""
    from slipcover.slipcover import add_summaries, merge_coverage, print_coverage

    whole, *others = (json.loads(file.read_text()) for file in sorted(ROOT.glob(".coverage.*")))
    for other in others:
        merge_coverage(whole, other)
    for path, file in whole["files"].items():  # slipcover leaves the branches to excluded lines
        excluded = _excluded((ROOT / path).read_text(encoding="utf-8"))
        branches = file["missing_branches"]
        file["missing_branches"] = [branch for branch in branches if branch[1] not in excluded]
    add_summaries(whole)
    print_coverage(whole, skip_covered=True)
    broken = False
    for room, bound in BOUNDS.items():
        percent = _percent(whole["files"], room)
        broken |= percent < bound
        sys.stdout.write(f"{room}: {percent:.2f} %, at least {bound}\n")
    sys.exit(broken)


def _excluded(source: str) -> set[int]:
    """Return the numbers of the lines that are excluded."""
    lines = enumerate(source.splitlines(), start=1)
    return {number for number, line in lines if re.search("|".join(EXCLUDED), line)}


def _percent(files: dict[str, Any], room: str) -> float:
    """Return the share of a room's lines and branches that was reached."""
    found = [file for path, file in files.items() if path.startswith(f"{room}/")]
    reached = sum(len(file["executed_lines"]) + len(file["executed_branches"]) for file in found)
    missed = sum(len(file["missing_lines"]) + len(file["missing_branches"]) for file in found)
    return 100 * reached / (reached + missed)


if __name__ == "__main__":
    main()
