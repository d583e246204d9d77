"""The names of all log events, as the code has them."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import monitor

LEVELS: Final = {"info": "info", "warning": "warning", "error": "error", "exception": "error"}


def logged() -> dict[str, set[str]]:
    """Return every event's name with the levels at which it is logged."""
    found: dict[str, set[str]] = {}
    for path in sorted(Path(monitor.__file__).parent.rglob("*.py")):
        for name, level in _calls(ast.parse(path.read_text(encoding="utf-8"))):
            found.setdefault(name, set()).add(level)
    return found


def _calls(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield each `log.LEVEL("name", …)`."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="log"), attr=level),
                args=[ast.Constant(value=str(name)), *_],
            ) if level in LEVELS:
                yield name, LEVELS[level]
