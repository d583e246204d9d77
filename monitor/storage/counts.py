"""Counts: how many batches are watched, how many are due, how many deliveries are pending."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from monitor.storage.database import reading
from monitor.storage.times import milliseconds

NOT_READ: Final = "not_read"
"""Stands for the phase of a batch before its first reading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchCount:
    """Hold how many batches are watched, and how many of them stand still."""

    number: int
    stalled: int


@reading
def count_batches(connection: Connection) -> dict[tuple[str, str], WatchCount]:
    """Count the watched batches by source and phase."""
    rows = connection.execute(_BATCHES)
    return {(row[0], row[1] or NOT_READ): WatchCount(number=row[2], stalled=row[3]) for row in rows}


@reading
def count_due(connection: Connection, *, now: datetime) -> dict[str, int]:
    """Count the batches of each source that are due and that nobody has claimed."""
    rows = connection.execute(_DUE, {"now": milliseconds(now)})
    return {row[0]: row[1] for row in rows}


@reading
def count_pending(connection: Connection) -> dict[str, int]:
    """Count what is owed to each receiver."""
    return {row[0]: row[1] for row in connection.execute(_PENDING)}


_BATCHES: Final = text(
    "SELECT source, phase, count(*), count(stalled_at) FROM batches WHERE watched"
    " GROUP BY source, phase"
)
_DUE: Final = text(
    "SELECT name, (SELECT count(*) FROM batches WHERE source = sources.name"
    " AND next_poll_at IS NOT NULL AND next_poll_at <= :now) FROM sources"
)
_PENDING: Final = text(
    "SELECT receiver, count(*) FROM deliveries WHERE state = 'pending' GROUP BY receiver"
)
