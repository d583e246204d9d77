"""References: what one part of the file says of another."""

from collections.abc import Iterator, Mapping
from typing import Any

from monitor.config.mistakes import Mistake, no_such
from monitor.core.batch_id import identity_of

Tables = Mapping[str, Any]
"""The file as tomllib reads it: any value may still be of a wrong type."""


def check_references(file: Tables) -> Iterator[Mistake]:
    """Find names of what is not there and batches declared twice.

    Works on the raw file, so that it finds them whatever else is wrong; wrong types are passed
    over, they are reported as such.
    """
    yield from _unknown_names(file, "batches", "source")
    yield from _unknown_names(file, "routes", "receiver")
    yield from _repeated_batches(file)


def _unknown_names(file: Tables, array: str, key: str) -> Iterator[Mistake]:
    known = file.get(f"{key}s", {})
    if not isinstance(known, dict):
        return
    for position, table in tables_in(file, array):
        name = table.get(key)
        if isinstance(name, str) and name not in known:
            yield Mistake(path=(array, position, key), text=no_such(key, name, known))


def _repeated_batches(file: Tables) -> Iterator[Mistake]:
    first: dict[tuple[str, str], int] = {}
    for position, table in tables_in(file, "batches"):
        source, batch_id = table.get("source"), table.get("id")
        if not isinstance(source, str) or not isinstance(batch_id, str):
            continue
        declared = first.setdefault((source, identity_of(batch_id)), position)
        if declared != position:
            yield Mistake(
                path=("batches", position, "id"),
                text=f"this batch of {source!r} is declared already",
                see=("batches", declared, "id"),
            )


def tables_in(file: Tables, array: str) -> Iterator[tuple[int, Tables]]:
    """Yield the tables of an array, each with its position; what is none is passed over."""
    found = file.get(array)
    for position, table in enumerate(found if isinstance(found, list) else ()):
        if isinstance(table, dict):
            yield position, table
