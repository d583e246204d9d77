"""The built wheel holds what it needs and nothing else, and works far from the checkout."""

import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
from email.message import Message
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

from monitor import __version__
from tests.patient import HANG

ROOT = Path(__file__).parent.parent
RECIPES = "deploy/recipes"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=ROOT)
    return folder / f"batch_monitor-{__version__}-py3-none-any.whl"


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into a clean environment; return its command.

    The dependencies are the test environment's, on a path behind the clean one's own. What is
    installed there as editable stays out: only a site folder proper would run its `.pth` files.
    """
    clean = tmp_path_factory.mktemp("clean")
    venv.create(clean, with_pip=False, symlinks=True)
    python = clean / "bin" / "python"
    run(
        sys.executable, "-m", "pip", "--python", str(python),
        "install", "--quiet", "--no-deps", "--no-index", str(wheel),
        cwd=clean,
    )  # fmt: skip
    site = Path(sysconfig.get_path("purelib", vars={"base": str(clean)}))
    others = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    (site / "dependencies.pth").write_text("".join(f"{folder}\n" for folder in others))
    return clean / "bin" / "monitor"


def run(*command: str, cwd: Path) -> str:
    """Run a command that knows nothing of the checkout; return what it prints."""
    done = subprocess.run(  # noqa: S603 (our own command)
        command,
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "HOME": str(cwd), "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def metadata(wheel: Path) -> Message:
    with ZipFile(wheel) as archive:
        text = archive.read(f"batch_monitor-{__version__}.dist-info/METADATA").decode()
    return Parser().parsestr(text)


def test_it_holds_the_package_the_migrations_the_recipes_and_nothing_else(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}

    beside = {*files("migrations"), *(name.removeprefix("deploy/") for name in files(RECIPES))}
    assert names == files("monitor") | {f"monitor/{name}" for name in beside}
    assert "monitor/config/starter.toml" in names
    assert "monitor/migrations/versions/0001_first_tables.py" in names


def files(folder: str) -> set[str]:
    """Return the files of the checkout that belong into the wheel."""
    return {
        file.relative_to(ROOT).as_posix()
        for file in (ROOT / folder).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }


def test_its_metadata_are_complete(wheel: Path) -> None:
    found = metadata(wheel)

    assert (found["Name"], found["Version"]) == ("batch-monitor", __version__)
    assert (found["License-Expression"], found["License-File"]) == ("MIT", "LICENSE")
    assert found["Requires-Python"] == ">=3.11"
    assert found.get_all("Provides-Extra") == ["postgres"]
    needed = found.get_all("Requires-Dist") or []
    assert any(line.startswith("psycopg") and "extra == 'postgres'" in line for line in needed)
    assert not any("pytest" in line for line in needed)


def test_what_an_index_shows_of_it_leads_into_the_repository(wheel: Path) -> None:
    hooks = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["metadata"]
    home = hooks["hooks"]["custom"]["repository"]
    found = metadata(wheel)
    page = found.get_payload()
    assert isinstance(page, str)
    pictures = re.findall(r'(?:src|srcset)="([^"]+)"|!\[.*?\]\((.+?)\)', page)
    links = re.findall(r"(?<!!)\[[^\]]*\]\(([^)]+)\)", page)

    assert found["Author"] == "The batch-monitor authors"
    assert f"Issues, {home}/issues" in (found.get_all("Project-URL") or [])
    assert len(pictures) >= 7
    for address in map("".join, pictures):
        assert (ROOT / address.removeprefix(f"{home}/raw/main/")).is_file(), address
        assert address.startswith(home)
    for address in links:
        file = address.removeprefix(f"{home}/blob/main/").partition("#")[0]
        assert address.startswith(("#", "https:"))
        assert file.startswith("https:") or (ROOT / file).exists(), address


def test_it_is_typed_as_its_metadata_say(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        assert "monitor/py.typed" in archive.namelist()
    assert "Typing :: Typed" in (metadata(wheel).get_all("Classifier") or [])


def test_what_runs_is_the_wheel_and_not_the_checkout(program: Path, tmp_path: Path) -> None:
    where = run(
        str(program.parent / "python"), "-c", "import monitor; print(monitor.__file__)",
        cwd=tmp_path,
    )  # fmt: skip

    assert Path(where).is_relative_to(program.parent.parent)


def test_it_takes_a_newcomer_to_a_database(program: Path, tmp_path: Path) -> None:
    assert run(str(program), "--version", cwd=tmp_path) == f"monitor {__version__}\n"

    run(str(program), "init", cwd=tmp_path)

    assert "SUCCESS" in run(str(program), "check-config", cwd=tmp_path)
    assert "monitor.db: made, with schema" in run(str(program), "migrate", cwd=tmp_path)
    assert "no batches yet" in run(str(program), "list", cwd=tmp_path)
    assert {file.name for file in tmp_path.iterdir()} >= {"config.toml", "monitor.db"}


def test_its_recipes_are_at_hand(program: Path, tmp_path: Path) -> None:
    options = ("--provider", "vapi", "--discover", "--webhook")

    run(str(program), "init", *options, cwd=tmp_path)

    assert "SUCCESS" in run(str(program), "check-config", cwd=tmp_path)
    assert "api.vapi.ai" in (tmp_path / "config.toml").read_text()


def test_its_demo_shows_the_whole_path(program: Path, tmp_path: Path) -> None:
    shown = run(str(program), "demo", "--duration", "5s", cwd=tmp_path)

    assert "monitor init" in shown  # its summary ends with what comes next
    assert list(tmp_path.iterdir()) == []  # it leaves nothing behind
