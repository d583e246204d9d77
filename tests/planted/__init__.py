"""Planted bugs: a line or two of the product changed as it is imported, to show who notices."""

import importlib
import importlib.util
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Final

VARIABLE: Final = "MONITOR_PLANTED"
"""The environment variable by which a test's daemons get the bug, too."""
HARNESSES: Final = (
    "clock",
    "disk",
    "fleet",
    "kills",
    "network",
    "patterns",
    "simulation",
    "steady",
)
"""The modules here that hold bugs: one for each harness that catches them."""

APART: Final = (
    '    connection.exec_driver_sql("COMMIT")\n    connection.exec_driver_sql("BEGIN IMMEDIATE")\n'
)
"""Breaks a unit of work on SQLite in two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Replace a piece of a module's source, which must stand there exactly once."""

    module: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bug:
    """Hold a bug, the test that catches it, and what that test says of it."""

    name: str
    edits: Sequence[Edit]
    test: str
    """As pytest takes it."""
    says: str
    """A part of what the failing test prints: caught for this, and not for something else."""
    slow: bool = False
    """Only `make faults` looks whether it is caught."""
    on_postgres: bool = False
    """Whether its test takes the server of this run, and none of its own."""
    environment: Mapping[str, str] = field(default_factory=dict)


def all_bugs() -> dict[str, Bug]:
    """Return every bug by its name."""
    modules = [importlib.import_module(f"tests.planted.{name}") for name in HARNESSES]
    return {bug.name: bug for module in modules for bug in module.BUGS}


def plant(bug: Bug) -> None:
    """Change the modules from now on; they must not be imported yet."""
    os.environ[VARIABLE] = bug.name
    sys.meta_path.insert(0, _Planter(bug.edits))


class _Planter(MetaPathFinder):
    def __init__(self, edits: Sequence[Edit]) -> None:
        self._edits = edits

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        edits = [edit for edit in self._edits if edit.module == name]
        spec = PathFinder.find_spec(name, path, target) if edits else None
        if spec is None or spec.origin is None:
            return None
        spec.loader = _Loader(name, spec.origin, edits)
        return spec


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: str, edits: Sequence[Edit]) -> None:
        super().__init__(name, path)
        self._edits = edits

    def get_code(self, fullname: str) -> object:  # type: ignore[override]
        """Compile the changed source; nothing of it is cached."""
        source = self.get_data(self.path).decode()
        for edit in self._edits:
            if source.count(edit.old) != 1:
                raise SystemExit(f"not exactly once in {fullname}: {edit.old!r}")
            source = source.replace(edit.old, edit.new)
        return compile(source, self.path, "exec")
