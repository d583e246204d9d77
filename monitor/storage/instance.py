"""The name of an instance on Postgres, which one daemon at a time may bear."""

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.core.errors import InstanceRunningError
from monitor.storage.database import Database

_CLASS: Final = 0x6E616D65
"""First half of the advisory lock's key; the second is the name's hash."""


class InstanceName:
    """Hold a name for as long as one connection lives; on SQLite the file's lock says enough.

    Two daemons of one name would give back each other's claims, and so send twice.
    """

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = name
        self._connection: AsyncConnection | None = None

    async def take(self) -> None:
        """Take the name; raises InstanceRunningError while another daemon bears it."""
        if self._database.file is not None or self._connection is not None:
            return
        connection = await self._database.connect_alone()
        taken = await connection.execute(_TAKE, {"class": _CLASS, "name": self._name})
        if not taken.scalar_one():
            await connection.close()
            raise InstanceRunningError(
                f"another daemon named {self._name!r} is at work on {self._database.place}:"
                " stop it, or give this one a name of its own by MONITOR_INSTANCE"
            )
        self._connection = connection

    async def release(self) -> None:
        """Give the name back."""
        if self._connection is not None:
            await self._connection.close()


_TAKE: Final = text("SELECT pg_try_advisory_lock(:class, hashtext(CAST(:name AS text)))")
