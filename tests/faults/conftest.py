"""A consumer that keeps account, a daemon that can be killed, and the table of all figures."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.consumer import Consumer
from tests.daemon_process import DaemonProcess
from tests.faults.figures import TIMED, Figures, print_table
from tests.postgres import Postgres

collect_ignore = [] if TIMED else ["network/test_dead_names.py", "disk/test_read_only_root.py"]
"""What needs a world of its own, which not every machine gives: unit tests try the same without."""


@pytest.fixture
async def consumer() -> AsyncIterator[Consumer]:
    """Start a consumer."""
    found = Consumer()
    await found.start()
    yield found
    await found.stop()


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[DaemonProcess]:
    """Prepare a daemon on SQLite; whatever happens, it does not outlive the test."""
    found = DaemonProcess(tmp_path)
    yield found
    await found.close()


@pytest.fixture(params=["sqlite", "postgresql"] if TIMED else ["sqlite"])
def two_urls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[str]]:
    """Return the URLs of two fresh databases of one kind, to be held against each other."""
    template: Any = request.getfixturevalue(f"migrated_{request.param.removesuffix('ql')}")
    if request.param == "sqlite":
        yield [f"sqlite:///{shutil.copy(template, tmp_path / name)}" for name in ("one", "two")]
        return
    server: Postgres = request.getfixturevalue("postgres")
    urls = [server.create(template) for _ in range(2)]
    yield urls
    for url in urls:
        server.drop(url)


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Figures:
    """Take the figures of this test for the table."""
    return Figures(request)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table."""
    print_table(terminalreporter)
