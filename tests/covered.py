"""What coverage follows: `-p tests.covered`. It makes what it follows twice as slow.

So it follows each line once, with one database; what leads through much of the program, or through
the same lines again, runs without it.
"""

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import coverage
import pytest

ROOT: Final = Path(__file__).parent
WHOLE: Final = tuple(
    ROOT / part
    for part in (
        *("benchmarks", "days", "faults", "hostile", "lives", "planted"),
        *("demo/test_show.py", "cli/test_follow_events.py", "cli/test_running.py"),
        *("daemon/test_process.py", "daemon/test_systemd.py", "test_readme.py", "test_wheel.py"),
    )
)
"""Starts whole programs, or leads whole lives through much of one."""
PROGRAMS: Final = "COVERAGE_PROCESS_CONFIG"
"""What has coverage follow the programs that a test starts."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let a test run without coverage, if it is one of those."""
    if not _runs_without(item):
        return (yield)
    with _without_coverage():
        return (yield)


@contextmanager
def _without_coverage() -> Iterator[None]:
    following, programs = coverage.Coverage.current(), os.environ.pop(PROGRAMS, None)
    if following is not None:
        following.stop()
    try:
        yield
    finally:
        if programs is not None:
            os.environ[PROGRAMS] = programs
        if following is not None:
            following.start()


def _runs_without(item: pytest.Item) -> bool:
    """Tell whether no coverage is measured by a test.

    Besides whole programs: the second run on the other database, and hundreds of made-up examples.
    """
    again = isinstance(item, pytest.Function) and "postgresql" in item.name
    return (
        again
        or item.get_closest_marker("hypothesis") is not None
        or any(item.path.is_relative_to(part) for part in WHOLE)
    )
