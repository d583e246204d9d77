from collections.abc import Callable

import pytest

from monitor.storage.database import Database
from tests.storage.store import Store


async def _store(database: Database) -> Store:
    store = Store(database)
    await store.source()
    await store.receivers("crm", "ops")
    return store


@pytest.fixture
async def store(database: Database) -> Store:
    """Put a source `bolna` and the receivers `crm` and `ops` into a fresh database."""
    return await _store(database)


@pytest.fixture
async def sqlite_store(sqlite_url: str, open_database: Callable[[str], Database]) -> Store:
    """Do the same where both databases cannot differ, or only SQLite has the matter."""
    return await _store(open_database(sqlite_url))


@pytest.fixture
async def postgres_store(postgres_url: str, open_database: Callable[[str], Database]) -> Store:
    """Do the same where only Postgres has the matter."""
    return await _store(open_database(postgres_url))
