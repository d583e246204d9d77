"""Rows passed to a statement as one JSON parameter, and spread into a table there."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from monitor.core.errors import DataRefusedError

DIALECTS: Final = ("sqlite", "postgresql")
_TOO_LARGE: Final = 2**63


def rows_of(dialect: str, columns: Mapping[str, str]) -> str:
    """Return the FROM clause that spreads the JSON parameter `:rows` into a table `r`.

    `columns` maps names to Postgres types; SQLite takes the types that the JSON has.
    """
    if dialect == "sqlite":
        fields = ", ".join(f"json_extract(value, '$.{name}') AS {name}" for name in columns)
        return f"(SELECT {fields} FROM json_each(:rows)) AS r"  # noqa: S608 (names are ours)
    fields = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    return f"jsonb_to_recordset(CAST(:rows AS jsonb)) AS r({fields})"


def encode_rows(rows: Iterable[Mapping[str, Any]]) -> str:
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
