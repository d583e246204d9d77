"""The two parts of the suite that `make test` runs side by side: `-p tests.parts --part NAME`.

Coverage makes what it follows twice as slow. It follows each line once, with one database; what
leads through much of the program, or through the same lines again, runs apart from it.
"""

from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent
WHOLE: Final = (
    *("benchmarks", "days", "faults", "hostile", "lives", "planted"),
    *("cli/demo/test_show.py", "cli/test_follow_events.py", "cli/test_running.py"),
    *("daemon/test_process.py", "daemon/test_systemd.py", "test_readme.py", "test_wheel.py"),
)
"""Starts whole programs, or leads whole lives through much of one."""
COVERED, APART = "covered", "apart"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the name of the part to run."""
    parser.addoption("--part", choices=(COVERED, APART), required=True, help="which tests to run")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Spare coverage the import of what it is not to follow."""
    return True if config.getoption("part") == COVERED and _is_whole(collection_path) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests of the part that was asked for."""
    apart = config.getoption("part") == APART
    others = [item for item in items if _runs_apart(item) != apart]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if _runs_apart(item) == apart]


def _runs_apart(item: pytest.Item) -> bool:
    """Tell whether no coverage is measured by a test.

    Besides whole programs: the second run on the other database, and hundreds of made-up examples.
    """
    again = isinstance(item, pytest.Function) and "postgresql" in item.name
    return again or item.get_closest_marker("hypothesis") is not None or _is_whole(item.path)


def _is_whole(path: Path) -> bool:
    return any(path.is_relative_to(ROOT / part) for part in WHOLE)
