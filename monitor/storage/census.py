"""The census: how many batches are watched and how many deliveries owed."""

from typing import Final

from sqlalchemy import text

from monitor.storage.database import Database

NOT_READ: Final = "not_read"
"""Stands for the phase of a batch before its first reading."""


async def count_batches(database: Database) -> dict[tuple[str, str], int]:
    """Count the watched batches by source and phase."""
    async with database.reading() as connection:
        rows = await connection.execute(_BATCHES)
        return {(row[0], row[1] or NOT_READ): row[2] for row in rows}


async def count_pending(database: Database) -> dict[str, int]:
    """Count what is owed to each receiver."""
    async with database.reading() as connection:
        return {row[0]: row[1] for row in await connection.execute(_PENDING)}


_BATCHES: Final = text(
    "SELECT source, phase, count(*) FROM batches WHERE watched GROUP BY source, phase"
)
_PENDING: Final = text(
    "SELECT receiver, count(*) FROM deliveries WHERE state = 'pending' GROUP BY receiver"
)
