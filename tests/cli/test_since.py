from datetime import UTC, datetime, timedelta

import pytest
from freezegun import freeze_time

from tests.cli.conftest import Run
from tests.storage.store import Store

pytestmark = pytest.mark.usefixtures("in_force")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # Postgres has its own clock
@pytest.mark.parametrize(("minutes", "found"), [(59, 1), (61, 0)])
async def test_since_is_counted_from_now(
    monitor: Run, store: Store, minutes: int, found: int
) -> None:
    await store.add("x")
    await store.tell("x")
    at = datetime.fromtimestamp(await store.value("SELECT max(at) FROM events") / 1000, UTC)

    with freeze_time(at + timedelta(minutes=minutes), real_asyncio=True):
        ended = await monitor("events", "--since", "1h", "-o", "json")

    assert ended.code == 0
    assert len(ended.json) == found
