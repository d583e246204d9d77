"""A reason: what a database driver reports, in words that say what to do."""

import re
from typing import Final

from monitor import descriptors

_NOT_ADMITTED: Final = {
    r'database ".*" does not exist': "there is no database of this name: `createdb` makes one",
    (
        r'role ".*" (?:does not exist|is not permitted to log in)'
        r"|authentication failed|no password supplied"
    ): "its user or password is refused: check database.url",
    r"no pg_hba\.conf entry": (
        "its pg_hba.conf admits no such user from here: add an entry, or check database.url"
    ),
    "not allowed in statement pooling mode": (
        "it is a pool that takes no transactions: give the server's own address in database.url,"
        " or a pool with pool_mode = session"
    ),
    "unsupported startup parameter": (
        "it is a pool that does not know an option of database.url or PGOPTIONS: leave it out, or"
        " give the server's own address"
    ),
}
_REMEDIES: Final = _NOT_ADMITTED | {
    "failed to resolve host": "its host has no address: check database.url and the network",
    (
        r"failed: (?:Connection refused|No such file|No route to host|Network is unreachable)"
        r"|failed: Connection timed out|timeout expired"
    ): "nobody answers there: is Postgres running, and is database.url right?",
    "disk I/O error": (
        "disk I/O error: make sure that the disk has room, can be written, and is well"
    ),
    "file is not a database": "it is no SQLite database: give the monitor a file of its own",
}
"""By text: before a connection stands, psycopg gives no SQLSTATE."""
_UNOPENED: Final = re.compile("unable to open database file|Too many open files")
_PREAMBLE: Final = re.compile(
    r"connection (?:failed|is bad): (?:connection to server .*? failed: )?(?:FATAL: +)?"
)
_WORD: Final = re.compile("(?<=[a-z])(?=[A-Z])")
_LIMIT: Final = 200


def reason_of(error: BaseException) -> str:
    """Say why the database failed; no parameters: the driver's first line holds no values."""
    origin = getattr(error, "orig", None)
    if origin is None:
        return kind_of(error)
    said = str(origin).strip()
    if _UNOPENED.search(said) and descriptors.are_out():
        return f"no more files can be opened: this process may have {descriptors.limit()}"
    for pattern, remedy in _REMEDIES.items():
        if re.search(pattern, said):
            return remedy
    line = said.partition("\n")[0]
    return _PREAMBLE.sub("", line, count=1)[:_LIMIT] or kind_of(error)


def is_not_admitted(error: BaseException) -> bool:
    """Return whether Postgres is there, but refuses the database's name, user or password."""
    said = str(getattr(error, "orig", None) or "")
    return any(re.search(pattern, said) for pattern in _NOT_ADMITTED)


def kind_of(error: BaseException) -> str:
    """Name an error by its kind alone, for its text holds values: `numeric value out of range`."""
    kind = type(getattr(error, "orig", None) or error).__name__
    return _WORD.sub(" ", kind).lower()
