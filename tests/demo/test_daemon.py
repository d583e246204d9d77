from pathlib import Path

import pytest

from monitor.core.errors import DemoError
from monitor.demo.daemon import Daemon
from tests.conftest import Until


async def test_one_that_does_not_start_is_told_with_its_last_words(
    tmp_path: Path, until: Until
) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[monitor]\nlog_level = 'loud'\n")
    daemon = Daemon(config)

    await daemon.start()
    await until(lambda: has_ended(daemon))

    assert not daemon.has_started()
    with pytest.raises(DemoError, match=r"(?s)with status 1; its log ends with:.*log_level"):
        daemon.check()


def has_ended(daemon: Daemon) -> bool:
    """Tell whether checking it says so."""
    try:
        daemon.check()
    except DemoError:
        return True
    return False


async def test_one_that_was_never_started_needs_no_end(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "config.toml")

    await daemon.stop()
    daemon.check()


async def test_one_that_hangs_is_ended_by_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.demo.daemon.END_TIMEOUT", 0.01)
    daemon = Daemon(tmp_path / "config.toml")
    await daemon.start()  # it has not even taken over its signals by then

    await daemon.stop()

    with pytest.raises(DemoError, match="with status -"):
        daemon.check()
