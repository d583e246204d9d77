import asyncio
from collections.abc import Callable

import pytest

from monitor.core.errors import InstanceRunningError
from monitor.storage.database import Database
from monitor.storage.servers.name import InstanceName

Open = Callable[[str], Database]


async def test_a_name_is_borne_by_one_at_a_time(postgres_url: str, open_database: Open) -> None:
    first, second = (InstanceName(open_database(postgres_url), "one") for _ in range(2))
    await first.take()

    with pytest.raises(InstanceRunningError, match="another daemon named 'one' is at work on"):
        await second.take()
    await first.release()
    await second.take()

    await second.release()


async def test_other_names_are_free(postgres_url: str, open_database: Open) -> None:
    names = [InstanceName(open_database(postgres_url), name) for name in ("one", "two")]

    await asyncio.gather(*(name.take() for name in names))

    for name in names:
        await name.release()


async def test_on_sqlite_the_lock_of_the_file_is_enough(
    sqlite_url: str, open_database: Open
) -> None:
    names = [InstanceName(open_database(sqlite_url), "one") for _ in range(2)]

    for name in names:
        await name.take()

    for name in names:
        await name.release()
