"""The map and the words: `docs/inside.md`, `CONTRIBUTING.md` and `tests/README.md` are true."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MONITOR = ROOT / "monitor"
INSIDE = (ROOT / "docs/inside.md").read_text(encoding="utf-8")
PAGES = {"docs/inside.md": 200, "CONTRIBUTING.md": 50, "tests/README.md": 60}
"""In lines, at most: a page that nobody reads to its end maps nothing."""
ROOM = re.compile(r"^- \*\*`([a-z/]+)/`\*\*(.*?)(?=^- \*\*|^$|\Z)", re.MULTILINE | re.DOTALL)
COINED = {
    *("Fold", "Hand", "Sign", "Tally", "Told", "Tried", "Trial", "Portrait", "Namesake", "Peal"),
    *("try_receiver", "owe_trial", "instant", "RowKind"),
}
"""Words that had to be decoded, and have plain ones now."""
PARTICIPLE = re.compile(r"(?:[a-z]ed|own|ound|orn|eld|ept|een|old)$")
NOUNS = {"DiscoveryRound", "Field", "Hold"}
"""They only end like one."""


def modules() -> dict[str, set[str]]:
    """Return the names of the modules of each room."""
    rooms: dict[str, set[str]] = {}
    for path in MONITOR.rglob("*.py"):
        if path.stem not in {"__init__", "__main__"}:
            room = path.parent.relative_to(MONITOR).as_posix()
            rooms.setdefault("monitor" if room == "." else room, set()).add(path.stem)
    return rooms


def on_the_map() -> dict[str, set[str]]:
    return {room: set(re.findall(r"`([a-z_]+)`", text)) for room, text in ROOM.findall(INSIDE)}


@cache
def names() -> set[str]:
    """Return what classes and functions of the monitor are called."""
    found: set[str] = set()
    for path in MONITOR.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                found.add(node.name)
    return found


def glossary() -> list[str]:
    part = INSIDE.split("## Words")[1].split("\n## ")[0]
    rows = [line for line in part.splitlines() if line.startswith("| ")][1:]
    return [row.split("|")[1].strip() for row in rows if not row.startswith("|--")]


def test_every_module_is_on_the_map_and_no_other() -> None:
    assert on_the_map() == modules()


@pytest.mark.parametrize("entry", glossary())
def test_every_word_of_the_glossary_is_in_the_code(entry: str) -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in MONITOR.rglob("*.py"))
    for word in re.findall(r"`(\w+)`", entry):
        assert word in names()
    for word in re.sub(r"`\w+`", "", entry).split(","):
        assert word.strip().lower() in code.lower()


@pytest.mark.parametrize(("page", "lines"), PAGES.items())
def test_a_page_is_short_enough_to_be_read_and_names_what_there_is(page: str, lines: int) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert len(text.splitlines()) <= lines
    assert set(re.findall(r"(?:`|\$ )make ([a-z]+)", text)) <= targets
    for name in re.findall(r"`((?:[a-z_]+/)+[a-z_]+)`", text):
        places = (ROOT / name, MONITOR / name, ROOT / "tests" / name)
        assert any(at.exists() or at.with_suffix(".py").exists() for at in places), name


def test_a_class_is_a_noun() -> None:
    classes = {name.lstrip("_") for name in names() if name.lstrip("_")[:1].isupper()}
    assert {name for name in classes if PARTICIPLE.search(name)} <= NOUNS


def test_no_word_stands_that_has_to_be_decoded() -> None:
    assert not COINED & names()


@pytest.mark.parametrize("path", sorted(MONITOR.rglob("*.py")), ids=lambda path: path.stem)
def test_a_file_says_what_it_owns_and_is_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert ast.get_docstring(ast.parse(text))
    assert len(text.splitlines()) <= 280


def test_every_float_says_its_unit() -> None:
    constant = re.compile(
        r'^_?[A-Z_]+: Final = \d+\.\d+\n(?:"""(.*?)""")?', re.MULTILINE | re.DOTALL
    )
    silent = [
        found[0]
        for path in MONITOR.rglob("*.py")
        for found in constant.finditer(path.read_text(encoding="utf-8"))
        if not re.search(r"[Ss]econds|Share|Of a claim", found[1] or "")
    ]

    assert silent == []
