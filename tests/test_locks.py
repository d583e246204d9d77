"""Two locks: what the program needs, and what the tests need besides."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LOCKS = ("requirements.lock", "requirements-dev.lock")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def pins(lock: str) -> dict[str, str]:
    """Return what a lock says of each package: its version, its marker and its hashes."""
    text = re.sub(r"^ +#.*\n", "", (ROOT / lock).read_text(), flags=re.MULTILINE)
    return {entry.partition("==")[0]: entry for entry in re.split(r"\n(?=\S)", text.strip())}


def names(requirements: list[object]) -> set[str]:
    """Return the packages that requirements name; a group within a group is none."""
    texts = (text for text in requirements if isinstance(text, str))
    return {re.split(r"[^A-Za-z0-9_.-]", text)[0].lower() for text in texts}


def test_the_programs_lock_holds_what_it_needs_and_what_installs_it() -> None:
    project, groups = PROJECT["project"], PROJECT["dependency-groups"]
    needed = [*project["dependencies"], *project["optional-dependencies"]["postgres"]]

    assert names([*needed, *groups["build"]]) <= set(pins("requirements.lock"))
    assert not names(groups["dev"]) & set(pins("requirements.lock"))
    assert names(groups["dev"]) <= set(pins("requirements-dev.lock"))


def test_what_the_program_runs_with_is_what_was_tested() -> None:
    assert pins("requirements.lock").items() <= pins("requirements-dev.lock").items()


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_hashes_and_names_no_host(lock: str) -> None:
    assert all(" --hash=sha256:" in entry for entry in pins(lock).values())
    assert "://" not in (ROOT / lock).read_text()


@pytest.mark.parametrize(("target", "locks"), [("demo", LOCKS[:1]), ("check", LOCKS)])
def test_make_says_first_what_takes_long_and_installs_what_is_needed(
    target: str, locks: tuple[str, ...], tmp_path: Path
) -> None:
    for name in ("Makefile", "pyproject.toml", *LOCKS):
        (tmp_path / name).symlink_to(ROOT / name)

    done = subprocess.run(  # noqa: S603 (it tells what it would do)
        ["make", "--no-print-directory", "--dry-run", target],  # noqa: S607
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert done.stdout.startswith('echo "Installing the monitor')
    assert re.findall(r"-r (\S+)", done.stdout) == list(locks)
