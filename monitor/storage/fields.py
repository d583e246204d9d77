"""Fields: how each field of a value is stored, from which the value is read and written."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from typing import Any

from monitor.storage.sql import from_milliseconds, milliseconds


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a value: where it is stored, and the ways in and out."""

    column: str
    """A column, other SQL that reads it, or a key of JSON."""
    name: str = ""
    """The value's attribute, where the column bears another name."""
    kind: str = "text"
    """Postgres' name of the column's type."""
    load: Callable[[Any], Any] | None = None
    """Makes the attribute of what is stored, unless that is null."""
    dump: Callable[[Any], Any] | None = None
    """Makes what is stored of the attribute, unless that is none."""
    null: Any = None
    """What a stored null stands for."""
    limit: int | None = None
    """The most characters of a text."""

    @classmethod
    def text(cls, column: str, name: str = "", *, limit: int | None = None) -> "Field":
        """Store a text as it is."""
        return cls(column, name, limit=limit)

    @classmethod
    def number(cls, column: str, name: str = "", *, null: int | None = None) -> "Field":
        """Store a number as it is."""
        return cls(column, name, "bigint", null=null)

    @classmethod
    def flag(cls, column: str, name: str = "", *, null: bool = False) -> "Field":
        """Store a flag, of which SQLite makes a number."""
        return cls(column, name, "boolean", bool, null=null)

    @classmethod
    def time(cls, column: str, name: str = "") -> "Field":
        """Store a time in milliseconds since 1970, UTC."""
        return cls(column, name, "bigint", from_milliseconds, milliseconds)

    @classmethod
    def word(cls, words: type[StrEnum], column: str, name: str = "") -> "Field":
        """Store a member of a closed set by its word."""
        return cls(column, name, load=words, limit=16)


class Fields:
    """The fields of a value, in the order of their columns."""

    def __init__(self, *fields: Field) -> None:
        self._fields = fields
        self._keys = [field.column for field in fields]
        self._names = [field.name or field.column.rpartition(".")[2] for field in fields]
        self._get = attrgetter(*self._names)
        self._loads = [(at, field.load) for at, field in enumerate(fields) if field.load]
        self._nulls = [(at, f.null) for at, f in enumerate(fields) if f.null is not None]
        self._dumps = [(at, field.dump) for at, field in enumerate(fields) if field.dump]
        self.columns = ", ".join(self._keys)
        """As a SELECT names them."""
        self.types = ", ".join(f"{field.column} {field.kind}" for field in fields)
        """As a statement spreads rows of them."""

    def __iter__(self) -> Iterator[Field]:
        return iter(self._fields)

    def load(self, stored: Sequence[Any]) -> dict[str, Any]:
        """Return the attributes of a row that begins with these columns."""
        values = [*stored[: len(self._names)]]
        for at, load in self._loads:
            if (found := values[at]) is not None:
                values[at] = load(found)
        for at, null in self._nulls:
            if values[at] is None:
                values[at] = null
        return dict(zip(self._names, values, strict=True))

    def dump(self, value: Any) -> dict[str, Any]:
        """Return what is stored of a value, by column."""
        values = [*self._get(value)]
        for at, dump in self._dumps:
            if (found := values[at]) is not None:
                values[at] = dump(found)
        return dict(zip(self._keys, values, strict=True))

    def load_json(self, stored: str) -> dict[str, Any]:
        """Return the attributes of a JSON object; what an older version left out is null."""
        found = json.loads(stored)
        return self.load([found.get(key) for key in self._keys])

    def dump_json(self, value: Any) -> str:
        """Return a value as a JSON object."""
        return json.dumps(self.dump(value))
