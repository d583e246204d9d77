"""The unit files are what systemd takes: `make unit`, where its tools are; none needs to run it."""

import sys
from pathlib import Path

import pytest

from tests.deploy.test_oauth2 import SERVICE, TIMER
from tests.deploy.test_unit import SYSUSERS, UNIT, drop_in, run, settings


def installed(folder: Path) -> Path:
    """Lay the unit and README's drop-in where systemd looks, with a program that exists here."""
    unit = folder / UNIT.name
    program = settings(UNIT.read_text())["ExecStart"].split()[0]
    unit.write_text(UNIT.read_text().replace(program, sys.executable))
    inside = folder / f"{UNIT.name}.d"
    inside.mkdir()
    (inside / "keys.conf").write_text(drop_in())
    return unit


def test_systemd_finds_nothing_wrong_with_the_unit_and_its_drop_in(tmp_path: Path) -> None:
    unit = installed(tmp_path)

    found = run("systemd-analyze", "verify", "--recursive-errors=no", unit)

    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


@pytest.mark.parametrize("line", ["NoSuchSetting=1", "WatchdogSec=soon", "ExecStart=/no/such"])
def test_systemd_would_find_what_is_wrong(tmp_path: Path, line: str) -> None:
    unit = installed(tmp_path)
    wrong = f"[Service]\nExecStart=\n{line}\n" if "Exec" in line else f"[Service]\n{line}\n"
    (tmp_path / f"{UNIT.name}.d" / "wrong.conf").write_text(wrong)

    found = run("systemd-analyze", "verify", "--recursive-errors=no", unit)

    assert found.stderr != ""


@pytest.mark.parametrize("unit", [UNIT, SERVICE], ids=lambda unit: unit.name)
def test_the_unit_exposes_little(unit: Path) -> None:
    found = run("systemd-analyze", "security", "--offline=true", "--threshold=15", unit)

    assert found.returncode == 0, found.stdout


def test_systemd_finds_nothing_wrong_with_the_units_that_fetch_tokens(tmp_path: Path) -> None:
    program = settings(SERVICE.read_text())["ExecStart"].split()[0]
    for file in (SERVICE, TIMER):
        named = tmp_path / file.name.replace("@", "@acme")
        named.write_text(file.read_text().replace(program, sys.executable))

    found = run("systemd-analyze", "verify", "--recursive-errors=no", *tmp_path.iterdir())

    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


def test_the_user_is_made_as_the_unit_needs_it(tmp_path: Path) -> None:
    unit = settings(UNIT.read_text())
    (tmp_path / "etc").mkdir()

    done = run("systemd-sysusers", f"--root={tmp_path}", SYSUSERS)

    assert done.returncode == 0, done.stderr
    name, _, _, _, _, home, shell = (tmp_path / "etc" / "passwd").read_text().strip().split(":")
    assert (name, home) == (unit["User"], f"/var/lib/{unit['StateDirectory']}")
    assert shell.endswith("nologin")
