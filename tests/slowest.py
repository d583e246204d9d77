"""The slowest twenty tests, in seconds and in CPU seconds: `make slowest` loads it into pytest."""

import resource
from collections.abc import Generator

import pytest

NUMBER = 20
_PROPERTY = "spent"
_BEFORE = pytest.StashKey[float]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Note what this process, and those that have ended, had spent before a test."""
    item.stash[_BEFORE] = _cpu_seconds()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say what it has spent so far as each part of it ends."""
    report = yield
    report.user_properties.append((_PROPERTY, _cpu_seconds() - item.stash[_BEFORE]))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the list."""
    seconds: dict[str, float] = {}
    spent: dict[str, float] = {}
    reports = (r for some in terminalreporter.stats.values() for r in some if hasattr(r, "when"))
    for report in reports:
        seconds[report.nodeid] = seconds.get(report.nodeid, 0.0) + report.duration
        spent[report.nodeid] = max(v for name, v in report.user_properties if name == _PROPERTY)
    terminalreporter.section(f"the slowest {NUMBER} of {len(seconds)}")
    terminalreporter.write_line("seconds      CPU  test")
    for name in sorted(seconds, key=lambda test: seconds[test], reverse=True)[:NUMBER]:
        terminalreporter.write_line(f"{seconds[name]:7.1f}  {spent[name]:7.1f}  {name}")
    total = f"{sum(seconds.values()):7.1f}  {sum(spent.values()):7.1f}"
    terminalreporter.write_line(f"{total}  all together")


def _cpu_seconds() -> float:
    own, ended = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime
