from dataclasses import replace

import pytest

from monitor.core.failure import FailureKind
from monitor.core.source import Health
from monitor.storage.sources import (
    SourceRecord,
    all_sources,
    lock_source,
    read_source,
    record_source,
    register_sources,
)
from tests.storage.store import MINUTE, NOW, Store


async def test_sources_keep_their_row_and_key_and_follow_the_files_provider(store: Store) -> None:
    first = await register_sources(store.database, {"a": "bolna", "b": "vogent"})
    again = await register_sources(store.database, {"a": "vogent"})

    assert set(first) == {"a", "b"}
    assert again == {"a": replace(first["a"], provider="vogent")}
    assert first["a"].health == Health()
    assert len(first["a"].key) == 32


async def test_health_is_written_only_over_what_it_was_judged_by(store: Store) -> None:
    source = await store.source()
    health = Health(failing_since=NOW, kind=FailureKind.UNAUTHORIZED, status_code=401)
    record = SourceRecord(
        row=source.row, version=source.version, health=health, blocked_until=NOW + MINUTE
    )

    written = [await store.database.write(record_source, record) for _ in range(2)]

    found = await read_source(store.database, source.row)
    assert written == [True, False]
    assert (found.health, found.blocked_until, found.version) == (health, NOW + MINUTE, 1)


@pytest.mark.parametrize("kind", list(FailureKind))
async def test_every_kind_of_failure_comes_back(sqlite_store: Store, kind: FailureKind) -> None:
    source = await sqlite_store.source()
    record = SourceRecord(
        row=source.row, version=0, health=Health(failing_since=NOW, kind=kind), blocked_until=None
    )

    await sqlite_store.database.write(record_source, record)

    assert (await read_source(sqlite_store.database, source.row)).health.kind is kind


async def test_a_locked_source_is_read_as_it_is(store: Store) -> None:
    source = await store.source()

    assert await store.database.write(lock_source, source.row) == source


async def test_sources_are_read_by_name_with_their_pause(store: Store) -> None:
    await store.source("other")
    await store.run("UPDATE sources SET blocked_until = 1000 WHERE name = 'other'")

    found = await all_sources(store.database)

    assert sorted(found) == ["bolna", "other"]
    assert found["bolna"].blocked_until is None
    assert found["other"].blocked_until is not None
