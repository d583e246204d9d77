"""Counts: how many batches are watched, how many are due, how many deliveries are pending."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from monitor.storage.database import reading
from monitor.storage.sql import milliseconds

NOT_READ: Final = "not_read"
"""Stands for the phase of a batch before its first reading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchCount:
    """How many batches are watched, and how many of them stand still."""

    number: int
    stalled: int


# all that are watched
_BATCHES: Final = text(
    "SELECT source, phase, count(*), count(stalled_at) FROM batches WHERE watched"
    " GROUP BY source, phase"
)


@reading
def count_batches(connection: Connection) -> dict[tuple[str, str], WatchCount]:
    """Count the watched batches by source and phase."""
    return {
        (source, phase or NOT_READ): WatchCount(number=number, stalled=stalled)
        for source, phase, number, stalled in connection.execute(_BATCHES)
    }


# of each source, by the index of what is due: a claim has moved next_poll_at to its lease's end
_DUE: Final = text(
    "SELECT name, (SELECT count(*) FROM batches WHERE source = sources.name"
    " AND next_poll_at IS NOT NULL AND next_poll_at <= :now) AS due FROM sources"
)


@reading
def count_due(connection: Connection, *, now: datetime) -> dict[str, int]:
    """Count the batches of each source that are due and that nobody has claimed."""
    return {row.name: row.due for row in connection.execute(_DUE, {"now": milliseconds(now)})}


# of each receiver, by the index of the lanes
_PENDING: Final = text(
    "SELECT receiver, count(*) AS pending FROM deliveries WHERE state = 'pending' GROUP BY receiver"
)


@reading
def count_pending(connection: Connection) -> dict[str, int]:
    """Count what is owed to each receiver."""
    return {row.receiver: row.pending for row in connection.execute(_PENDING)}
