"""Identities of batches that an older program registered, as amid a rolling upgrade."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, text

from monitor.core.batch_id import identity_of
from monitor.storage.database import Database, reading, writing

CHUNK: Final = 500


async def identify_batches(database: Database) -> None:
    """Give an identity to batches that have none."""
    while rows := await _unidentified(database):
        await _identify(database, rows)


@reading
def _unidentified(connection: Connection) -> list[tuple[int, str]]:
    return [(row[0], row[1]) for row in connection.execute(_UNIDENTIFIED, {"limit": CHUNK})]


@writing
def _identify(connection: Connection, rows: Sequence[tuple[int, str]]) -> None:
    for row, batch_id in rows:
        values = {"row": row, "identity": identity_of(batch_id)}
        if not connection.execute(_IDENTIFY, values).rowcount:
            connection.execute(_GIVE_UP, values)


_UNIDENTIFIED: Final = text(
    "SELECT id, external_id FROM batches WHERE identity IS NULL ORDER BY id LIMIT :limit"
)
_IDENTIFY: Final = text(
    "UPDATE batches SET identity = :identity WHERE id = :row AND identity IS NULL AND NOT EXISTS"
    " (SELECT 1 FROM batches AS other"
    " WHERE other.source = batches.source AND other.identity = :identity)"
)
# it is watched already, in another notation: as the migration does with such
_GIVE_UP: Final = text(
    "UPDATE batches SET identity = external_id || ' (twice)',"
    " external_id = external_id || ' (twice)', watched = FALSE, next_poll_at = NULL,"
    " due_at = NULL, lease_owner = NULL, epoch = epoch + 1 WHERE id = :row AND identity IS NULL"
)
