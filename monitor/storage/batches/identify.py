"""Identities of batches that an older program registered, as amid a rolling upgrade."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, text

from monitor.core.batch_id import identity_of
from monitor.storage.database import Database, fetch, writing
from monitor.storage.sql import CHUNK

# some of those without an identity, by the index of them
_UNIDENTIFIED: Final = text(
    "SELECT id, external_id FROM batches WHERE identity IS NULL ORDER BY id LIMIT :limit"
)


async def identify_batches(database: Database) -> None:
    """Give an identity to batches that have none."""
    while rows := await fetch(database, _UNIDENTIFIED, {"limit": CHUNK}):
        await _identify(database, rows)


# one batch, unless another one bears the identity already
_IDENTIFY: Final = text(
    "UPDATE batches SET identity = :identity WHERE id = :row AND identity IS NULL AND NOT EXISTS"
    " (SELECT 1 FROM batches AS other"
    " WHERE other.source = batches.source AND other.identity = :identity)"
)
# one that is watched already, in another notation: as the migration does with such
_GIVE_UP: Final = text(
    "UPDATE batches SET identity = external_id || ' (twice)',"
    " external_id = external_id || ' (twice)', watched = FALSE, next_poll_at = NULL,"
    " due_at = NULL, lease_owner = NULL, epoch = epoch + 1 WHERE id = :row AND identity IS NULL"
)


@writing
def _identify(connection: Connection, rows: Sequence[Any]) -> None:
    for row, batch_id in rows:
        values = {"row": row, "identity": identity_of(batch_id)}
        if not connection.execute(_IDENTIFY, values).rowcount:
            connection.execute(_GIVE_UP, values)
