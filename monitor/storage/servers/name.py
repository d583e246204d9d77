"""The name of an instance on Postgres, which one daemon at a time may bear."""

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from sqlalchemy import exc, text

from monitor.core.errors import InstanceRunningError, StorageError
from monitor.storage.database import Database

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

_CLASS: Final = 0x6E616D65
"""First half of the advisory lock's key; the second is the name's hash."""
# an advisory lock ends with its connection, however the daemon died
_TAKE: Final = text("SELECT pg_try_advisory_lock(:class, hashtext(CAST(:name AS text)))")
# fails where the connection was lost
_ALIVE: Final = text("SELECT 1")


class InstanceName:
    """A name, held for as long as one connection lives; on SQLite the file's lock says enough.

    Two daemons of one name would give back each other's claims, and so send twice.
    """

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = name
        self._connection: AsyncConnection | None = None

    async def take(self) -> None:
        """Take the name; raise InstanceRunningError while another daemon bears it."""
        if self._database.file is not None or self._connection is not None:
            return
        connection = await self._database.connect_alone()
        try:
            taken = await self._database.ask_alone(
                connection, _TAKE, **{"class": _CLASS, "name": self._name}
            )
        except StorageError:
            await _drop(connection)
            raise
        if not taken:
            await _drop(connection)
            raise InstanceRunningError(
                f"another daemon named {self._name!r} is at work on {self._database.place}:"
                " stop it, or give this one a name of its own by MONITOR_INSTANCE"
            )
        self._connection = connection

    async def keep(self) -> None:
        """Take the name again if its connection was lost, as by a restart of the server.

        Raises InstanceRunningError when another daemon has taken it meanwhile.
        """
        if self._connection is not None:
            try:
                await self._database.ask_alone(self._connection, _ALIVE)
            except StorageError:
                await _drop(self._connection)
                self._connection = None
        await self.take()

    async def release(self) -> None:
        """Give the name back."""
        if self._connection is not None:
            await _drop(self._connection)


async def _drop(connection: "AsyncConnection") -> None:
    """Close a connection that may be lost already."""
    with suppress(exc.SQLAlchemyError, OSError):
        await connection.close()
