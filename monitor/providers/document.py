"""A provider's document: untrusted JSON, read field by field with care.

What the decoder itself refuses fails the poll wherever it stands: broken UTF-8, JSON cut short,
endless nesting, integers of more than 4,300 digits. Fields that nobody reads may hold any other
nonsense. Of duplicate keys the last one counts, as in every common JSON parser. A document of too
many values is refused unread: decoded, a small body can fill a lot of memory.
"""

import json
import re
from datetime import UTC, datetime
from typing import Any, Final

from monitor.core.batch import NAME_LIMIT, STATUS_LIMIT
from monitor.core.batch_id import ID_LIMIT
from monitor.core.errors import PollError
from monitor.core.failure import FailureKind
from monitor.net.redact import Redact

LARGEST_COUNT: Final = 2**63 - 1
"""Both databases hold 64-bit integers."""

VALUES_LIMIT: Final = 50_000
"""In a MiB: some 12 MiB when each is an object with one key, the largest that so few bytes can
become."""

_decode: Final = json.JSONDecoder().decode
_NUMERIC: Final = re.compile(r"[0-9]{1,19}(?:\.0{1,9})?")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def invalid(reason: str | None = None) -> PollError:
    """Make the error of a document that cannot be the batch's; only a 200 brings documents."""
    return PollError(FailureKind.INVALID_BODY, 200, reason=reason)


def decode(document: bytes) -> dict[str, Any]:
    """Decode a JSON object; raise PollError for anything else."""
    fields = decode_any(document)
    if not isinstance(fields, dict):
        raise invalid()
    return fields


def decode_any(document: bytes, *, values_limit: int = VALUES_LIMIT) -> dict[str, Any] | list[Any]:
    """Decode a JSON object or array; raise PollError for anything else."""
    if len(document) > values_limit and (values := values_in(document)) > values_limit:
        reason = f"{values:,} values where {values_limit:,} are allowed"
        raise PollError(FailureKind.TOO_LARGE, 200, reason=reason)
    try:
        found: object = _decode(document.decode())
    except (ValueError, RecursionError) as error:
        raise invalid() from error
    if not isinstance(found, dict | list):
        raise invalid()
    return found


def values_in(document: bytes) -> int:
    """Return how many values it holds at most: commas within texts count too."""
    return 1 + sum(map(document.count, (b",", b"[", b"{")))


def check_id(found: object, batch_id: str, hide: Redact = str) -> None:
    """Raise PollError for another batch's document (trust no proxy); no id at all is fine.

    Case and dashes are not compared: a UUID pasted in another notation names the same batch. Of a
    resource name, `batches/ID` or an ARN, the last segment is the id.
    """
    if found is None or found == batch_id:
        return
    if not isinstance(found, str):
        raise invalid("its id is no text")
    if _bare(last_segment(found)) != _bare(batch_id):
        raise invalid(f"its id is {_quoted(hide(found))}, not {_quoted(batch_id)}")


def last_segment(name: str) -> str:
    """Return the id in a resource name, or in the URL of one; an id is its own."""
    if "/" not in name:
        return name
    return re.split("[?#]", name, maxsplit=1)[0].rpartition("/")[2]


def _bare(batch_id: str) -> str:
    return batch_id.replace("-", "").casefold()


def _quoted(batch_id: str) -> str:
    return ascii(batch_id[:ID_LIMIT])


def read_status(value: object) -> str:
    """Return a status as it is spelled, or raise PollError.

    One beyond the bound is refused: cut to size it would be another word. So is one with control
    characters or lone surrogates: no word at all.
    """
    if not isinstance(value, str) or not value.isprintable() or not value.strip():
        raise invalid()
    if len(value.encode()) > STATUS_LIMIT:
        raise invalid()
    return value


def read_name(value: object) -> str | None:
    """Return a name, cut to what we keep; what is no text is no name, but no reason to fail.

    Raises PollError for NUL and lone surrogates: no database stores them.
    """
    if not isinstance(value, str) or not value:
        return None
    name = value[:NAME_LIMIT]
    if "\0" in name or (not name.isascii() and _SURROGATE.search(name)):
        raise invalid()
    return name


def read_count(value: object) -> int | None:
    """Return a number of calls, none for null; raise PollError for what is no such number.

    Integral floats and numeric texts occur; booleans are no numbers.
    """
    if value is None:
        return None
    number = value if type(value) is int else _loose_count(value)
    if not 0 <= number <= LARGEST_COUNT:
        raise invalid()
    return number


def _loose_count(value: object) -> int:
    if isinstance(value, float) and value.is_integer():  # neither NaN nor an infinity is
        return int(value)
    if isinstance(value, str) and _NUMERIC.fullmatch(value):
        return int(value.partition(".")[0])
    raise invalid()


def read_time(value: object) -> datetime | None:
    """Return an aware UTC time, a naive one taken as UTC; none for what is no valid time.

    Bolna's documented answer holds `2024-02-29T04:22:89Z`: never a reason to fail a poll.
    """
    if not isinstance(value, str) or not value.isprintable():  # CPython takes a NUL at the end
        return None
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            return moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):  # OverflowError: year 1 or 9999 with an offset
        return None
