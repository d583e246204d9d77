"""The unit files are what deploy/README.md tells to type, and fit the program."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from monitor import __version__
from monitor.cli.main import SECTIONS
from monitor.config.load import load
from monitor.config.schema import database_url
from monitor.config.starter import write_starter
from monitor.config.unreadable import missing_secrets
from monitor.daemon.liveness import HANG
from monitor.daemon.process import LONGEST_END
from monitor.setting_types import parse_duration
from tests import patient

ROOT = Path(__file__).parent.parent.parent
UNIT = ROOT / "deploy" / "monitor.service"
SYSUSERS = ROOT / "deploy" / "monitor.sysusers"
README = (ROOT / "deploy" / "README.md").read_text()


def commands() -> str:
    """Return all that README tells to type, without the prompts."""
    blocks = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    return re.sub("^# ", "", "".join(blocks), flags=re.MULTILINE)


def drop_in() -> str:
    """Return README's drop-in for the keys."""
    found = re.search(r"keys\.conf <<END\n(.*?)^END$", README, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


def settings(text: str) -> dict[str, str]:
    """Return the unit's settings; of one given several times, the last."""
    return dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))


def seconds(setting: str) -> float:
    """Return a time span of the unit."""
    span = settings(UNIT.read_text())[setting].replace("min", "m")
    return float(span) if span.isdecimal() else parse_duration(span).total_seconds()


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command."""
    return subprocess.run(  # noqa: S603 (ours)
        command, capture_output=True, text=True, timeout=patient.HANG, check=False
    )


@pytest.mark.skipif(sys.platform != "linux", reason="README's sed is GNU's")
def test_the_config_that_readme_makes_fits_the_unit(tmp_path: Path) -> None:
    unit, config = settings(UNIT.read_text()), tmp_path / "config.toml"
    write_starter(config)
    edit = re.search(r"^sed -i (\S+) \\\n(?:.*\\\n)*.*$", commands(), re.MULTILINE)
    assert edit is not None
    assert unit["ExecStart"].endswith(f" run --config {edit[1]}")

    done = run("/bin/sh", "-c", edit[0].replace(edit[1], str(config)))

    assert done.returncode == 0, done.stderr
    assert database_url(load(config)) == f"sqlite:////var/lib/{unit['StateDirectory']}/monitor.db"
    keys = dict(re.findall(r"^LoadCredential=(\w+):(\S+)$", drop_in(), re.MULTILINE))
    wanted = [re.search(r"the file (\S+)", line) for line in missing_secrets(load(config))]
    assert {match[1] for match in wanted if match} == {
        f"/run/credentials/{UNIT.name}/{name}" for name in keys
    }
    assert all(f"cat > {file})" in commands() for file in keys.values())


def test_the_unit_starts_what_readme_installs() -> None:
    program = settings(UNIT.read_text())["ExecStart"].split()[0]
    environment = program.removesuffix("/bin/monitor")

    assert f"python3 -m venv {environment}\n" in commands()
    assert f"ln -s {program} /usr/local/bin/monitor" in commands()
    assert f"batch_monitor-{__version__}-py3-none-any.whl" in commands()


def test_every_file_and_command_in_readme_exists() -> None:
    made = set(re.findall(r"mkdir (\S+)", commands()))
    for file in set(re.findall(r"\b(?:deploy/[\w.]+|requirements\.lock)", commands())) - made:
        assert (ROOT / file).is_file(), file
    known = {name for section in SECTIONS.values() for name in section}
    used = set(re.findall(r"(?:^|monitor )monitor ([a-z][a-z-]+)", commands(), re.MULTILINE))
    assert used
    assert used <= known


def test_the_daemon_ends_by_itself_before_systemd_kills_it() -> None:
    assert seconds("TimeoutStopSec") > LONGEST_END


def test_a_watchdog_waits_longer_than_a_loop_may_hang() -> None:
    assert seconds("WatchdogSec") >= 2 * HANG


def test_the_unit_sets_nothing_that_the_other_commands_would_not_see() -> None:
    assert "MONITOR_" not in UNIT.read_text()
