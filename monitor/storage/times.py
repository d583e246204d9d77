"""Times as stored: milliseconds since 1970, UTC."""

from datetime import UTC, datetime, timedelta
from typing import Final, overload

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


@overload
def milliseconds(at: datetime) -> int: ...
@overload
def milliseconds(at: None) -> None: ...
@overload
def milliseconds(at: datetime | None) -> int | None: ...
def milliseconds(at: datetime | None) -> int | None:
    """Return an aware time as stored."""
    return None if at is None else (at - _EPOCH) // _MILLISECOND


@overload
def from_milliseconds(stored: int) -> datetime: ...
@overload
def from_milliseconds(stored: None) -> None: ...
@overload
def from_milliseconds(stored: int | None) -> datetime | None: ...
def from_milliseconds(stored: int | None) -> datetime | None:
    """Return a stored time as an aware one."""
    return None if stored is None else _EPOCH + timedelta(0, 0, 0, stored)
