"""A finding: what an expression found in an answer, and how it reads as what its key stands for.

A rule that it breaks is named without the value: that may hold what nobody but the asker may see.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar

from monitor.core.batch import COUNTS_LIMIT, STATUS_LIMIT, Counts
from monitor.core.errors import PollError
from monitor.net.redact import Redact
from monitor.providers.document import (
    LARGEST_COUNT,
    read_count,
    read_name,
    read_status,
    read_time,
)
from monitor.providers.expression import Expression

_Value = TypeVar("_Value")

NO_STATUS: Final = "null"
"""The status of a call that has none, in an array: it has not begun, and is open."""

_UNKNOWN: Final = (-1, "-1")
"""What Google's APIs write for a number that they do not know."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FEWEST_MILLISECONDS: Final = 10**11
"""Smaller numbers are seconds, until the year 5138; as milliseconds this is 1973."""

_COUNTS: Final = "be an object of numbers by call status, or an array with the status of each call"
_STATUS: Final = f"a printable text of 1 to {STATUS_LIMIT} bytes"
_NUMBER: Final = "a whole number of at least 0, or -1 for unknown"
_TIME: Final = "be a time: ISO 8601, or seconds or milliseconds since 1970"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one expression made of an answer."""

    key: str
    expression: str
    value: object = None
    problem: str | None = None
    """Why there is no value, or which rule it breaks: the poll fails."""
    note: str | None = None
    """How a value is taken that fails no poll, but is of no use."""


def read_found(key: str, found: object) -> Any:
    """Read what a key's expression found; none for null, where that may be.

    Raises ValueError, which names the rule and shows nothing of the value.
    """
    if found is None and key not in _REQUIRED:
        return None
    return READERS[key](found)


def find(key: str, expression: Expression, document: object) -> object:
    """Return what a key's expression finds in a document; raise ValueError if it cannot be."""
    return expression.evaluate(document, nulls=key == "counts")


def without_keys(found: object, hide: Redact) -> object:
    """Return what was found with the texts in it redacted, before any is cut to size."""
    match found:
        case _ if hide is str:
            return found
        case str():
            return hide(found)
        case list():
            return [hide(item) if isinstance(item, str) else item for item in found]
        case dict():
            hidden: dict[str, Any] = {}
            for word, number in found.items():
                shown = hide(word)
                known = hidden.get(shown)
                both = isinstance(known, int) and isinstance(number, int)
                hidden[shown] = known + number if both else number
            return hidden
        case _:
            return found


def make_finding(key: str, expression: Expression, document: object, hide: Redact = str) -> Finding:
    """Say what a key's expression finds in a document, and whether it fits."""
    found: object = None
    problem = note = None
    try:
        found = without_keys(find(key, expression, document), hide)
        if read_found(key, found) is None and found:
            note = "stands for unknown" if found in _UNKNOWN else "not understood: taken for none"
    except ValueError as error:
        problem = str(error)
    return Finding(key=key, expression=expression.text, value=found, problem=problem, note=note)


def _read(read: Callable[[object], _Value], rule: str, found: object) -> _Value:
    try:
        return read(found)
    except PollError:
        raise breaks(rule, found) from None


def breaks(rule: str, found: object) -> ValueError:
    """Make the error of what breaks a rule, which names its kind."""
    return ValueError(f"must {rule}; found {_kind(found)}")


def _kind(found: object) -> str:
    """Name what was found, without its value."""
    match found:
        case bool() | None:
            return "null" if found is None else "true or false"
        case int() | float():
            return _kind_of_number(found)
        case str() if len(found) > STATUS_LIMIT:
            return f"a text of {len(found)} characters"
        case str():
            return "a text" if found else "an empty text"
        case _:
            return "an object" if isinstance(found, dict) else "an array"


def _kind_of_number(found: int | float) -> str:
    if found < 0:
        return "a negative number"
    if isinstance(found, float) and not found.is_integer():
        return "a number that is not whole"
    return "a number that is too large" if found > LARGEST_COUNT else "a number"


def _read_id(found: object) -> str:
    """Read an id, which may be a number."""
    if isinstance(found, bool) or not isinstance(found, str | int):
        raise breaks("be a text or a whole number", found)
    return str(found)


def _read_counts(found: object) -> Counts:
    """Read numbers by call status, or count the calls of each; refuse more than can be kept."""
    match found:
        case dict():
            numbers: Mapping[Any, object] = found
        case list():
            words = [NO_STATUS if word is None else word for word in found]
            if (odd := next((item for item in words if not isinstance(item, str)), "")) != "":
                raise ValueError(f"must {_COUNTS}; found an array with {_kind(odd)} in it")
            numbers = Counter(words)
        case _:
            raise breaks(_COUNTS, found)
    if len(numbers) > COUNTS_LIMIT:
        raise ValueError(f"must hold at most {COUNTS_LIMIT} call statuses; found {len(numbers)}")
    pairs = ((_read_call_status(word), _read_calls(value)) for word, value in numbers.items())
    counts = {word: number for word, number in pairs if number is not None}
    if sum(counts.values()) > LARGEST_COUNT:
        raise ValueError(f"must sum up to at most {LARGEST_COUNT}")
    return counts


def _read_number(found: object) -> int | None:
    """Read a number of calls, none for one that is unknown."""
    return None if found in _UNKNOWN else read_count(found)


_read_call_status: Final = partial(_read, read_status, f"name every call status by {_STATUS}")
_read_calls: Final = partial(_read, _read_number, f"give every call status {_NUMBER}")
_read_total: Final = partial(_read, _read_number, f"be {_NUMBER}")


def _read_name(found: object) -> str | None:
    if not isinstance(found, str):
        raise breaks("be a text", found)
    return _read(read_name, "be a text without NUL and surrogates", found)


def read_start(found: object) -> datetime | None:
    """Read a time; a text that is none stands for no time, as with every provider."""
    if isinstance(found, str):
        return read_time(found)
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise breaks(_TIME, found)
    try:
        seconds = found if abs(found) < _FEWEST_MILLISECONDS else found / 1000
        return _EPOCH + timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        raise breaks(_TIME, found) from None


READERS: Final[Mapping[str, Callable[[object], Any]]] = {
    "id": _read_id,
    "status": partial(_read, read_status, f"be a status word: {_STATUS}"),
    "counts": _read_counts,
    "total": _read_total,
    "valid": _read_total,
    "name": _read_name,
    "scheduled_at": read_start,
}
"""How to read what is found under each key that holds an expression, in the order of evaluation."""
_REQUIRED: Final = frozenset({"id", "status"})
"""Nothing found under these fails the poll."""
