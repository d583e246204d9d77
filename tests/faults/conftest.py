"""A consumer that keeps account, a daemon that can be killed, and the table of all figures."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.faults.consumer import Consumer
from tests.faults.daemon import Daemon
from tests.faults.figures import Figures, print_table


@pytest.fixture
async def consumer() -> AsyncIterator[Consumer]:
    """Start a consumer."""
    found = Consumer()
    await found.start()
    yield found
    await found.stop()


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    """Prepare a daemon on SQLite; whatever happens, it does not outlive the test."""
    found = Daemon(tmp_path)
    yield found
    await found.close()


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Figures:
    """Take the figures of this test for the table."""
    return Figures(request)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table."""
    print_table(terminalreporter)
