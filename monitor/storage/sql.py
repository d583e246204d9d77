"""SQL for both databases: statements, rows passed as one JSON parameter, times in milliseconds."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias, TypeVar, overload

from sqlalchemy import Connection, CursorResult, TextClause, text

from monitor.core.errors import DataRefusedError

CHUNK: Final = 500
"""Rows that one unit of work moves where there may be many more: nobody waits long for it."""
PAGE: Final = 1000
"""Rows that are read at once for people."""
NEWEST: Final = 2**62
"""Later than any row number, time or sequence."""
CLAIM_KEY: Final = "id bigint, epoch bigint"
"""What names a claim: the row, and the epoch that the claim gave it."""

_TOO_LARGE: Final = 2**63
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)

T = TypeVar("T")
Rows: TypeAlias = Iterable[Mapping[str, Any]]


class Statement(dict[str, TextClause]):
    """One statement as each dialect takes it.

    `{rows}` becomes the FROM clause that spreads the JSON parameter `:rows` into a table `r` of
    these columns with their Postgres types: `id bigint, state text`. `{lock}` becomes `lock` on
    Postgres alone: SQLite has one writer at a time, and nothing to lock.
    """

    def __init__(
        self, template: str, *, postgresql: str = "", rows: str = "", lock: str = ""
    ) -> None:
        """Take the statement, and another one for Postgres where that needs it put otherwise."""
        templates = {
            "sqlite": template.replace("{lock}", ""),
            "postgresql": (postgresql or template).replace("{lock}", lock),
        }
        for dialect, written in templates.items():
            self[dialect] = text(written.replace("{rows}", _spread(dialect, rows)))

    def run(
        self, connection: Connection, *, rows: Rows | str | None = None, **values: Any
    ) -> "CursorResult[*tuple[Any, ...]]":
        """Execute it as the connection's dialect takes it; `rows` may be encoded already."""
        if rows is not None:
            values["rows"] = rows if isinstance(rows, str) else encode_rows(rows)
        return connection.execute(self[connection.dialect.name], values)


def claim_stands(table: str) -> str:
    """Return the fence of what gives a claim back: that `r` names one that nobody ended since.

    Each claim counts the row's epoch up; who comes back late, under an older one, changes nothing.
    """
    return f"{table}.id = r.id AND {table}.epoch = r.epoch AND {table}.lease_owner IS NOT NULL"


def _spread(dialect: str, rows: str) -> str:
    """Return the FROM clause of `{rows}`; SQLite takes the types that the JSON has."""
    if dialect == "postgresql":
        return f"jsonb_to_recordset(CAST(:rows AS jsonb)) AS r({rows})"
    fields = ", ".join(f"json_extract(value, '$.{name}') AS {name}" for name in names_of(rows))
    return f"(SELECT {fields} FROM json_each(:rows)) AS r"


def names_of(rows: str) -> list[str]:
    """Return the columns' names without their types."""
    return [column.split()[0] for column in rows.split(", ") if column]


def encode_rows(rows: Rows) -> str:
    """Encode the parameter `:rows`; raise DataRefusedError for what a column would not give back.

    Postgres refuses such values itself. SQLite's JSON makes floats of integers over 64 bits, cuts
    texts at a NUL and stores lone surrogates as bytes that nobody can read again.
    """
    rows = list(rows)
    for row in rows:
        for name, value in row.items():
            if isinstance(value, int) and not -_TOO_LARGE <= value < _TOO_LARGE:
                raise DataRefusedError(f"the database refuses a value: {name} exceeds 64 bits")
            if isinstance(value, str) and "\0" in value:
                raise DataRefusedError(f"the database refuses a value: {name} holds a NUL")
    encoded = json.dumps(rows, ensure_ascii=False)
    try:
        encoded.encode()
    except UnicodeEncodeError:
        reason = "the database refuses a value: a text holds a lone surrogate"
        raise DataRefusedError(reason) from None
    return encoded


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yield `size` items at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


@overload
def milliseconds(at: datetime) -> int: ...
@overload
def milliseconds(at: datetime | None) -> int | None: ...
def milliseconds(at: datetime | None) -> int | None:
    """Return an aware time as stored: milliseconds since 1970, UTC."""
    return None if at is None else (at - _EPOCH) // _MILLISECOND


@overload
def from_milliseconds(stored: int) -> datetime: ...
@overload
def from_milliseconds(stored: int | None) -> datetime | None: ...
def from_milliseconds(stored: int | None) -> datetime | None:
    """Return a stored time as an aware one."""
    return None if stored is None else _EPOCH + timedelta(0, 0, 0, stored)
