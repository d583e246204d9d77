"""The write-ahead log stays small, also where readers come and go; a long one makes it grow."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from monitor.core.batch import Origin
from monitor.storage.batches.claim import claim_batches, release_batches
from monitor.storage.batches.register import Registration, register_batches
from monitor.storage.database import Database
from monitor.storage.sources import register_sources
from tests.faults.figures import Figures, sized

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BATCHES = 500
ROUNDS = sized(short=36, full=300)
"""Claims of all of them, each followed by their release."""
ONE_COMMIT = 1024 * 1024
BOUND = 8 * 1024 * 1024
"""Bytes: twice the 1000 pages after which SQLite copies its log into the database."""


async def test_the_log_is_bounded_while_readers_come_and_go_and_a_long_one_only_delays_that(
    sqlite_url: str, figures: Figures
) -> None:
    database = Database(sqlite_url)
    (source,) = (await register_sources(database, {"bolna": "bolna"})).values()
    many = [Registration(source="bolna", id=f"{n:032x}") for n in range(BATCHES)]
    await register_batches(database, many, origin=Origin.ADDED, now=NOW)
    log = Path(f"{database.file}-wal")

    reading = asyncio.create_task(come_and_go(database))
    largest = await work(database, source.row, log)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)

    with reader(database):
        held = await work(database, source.row, log)
    after = await work(database, source.row, log, rounds=ROUNDS // 4)
    await database.close()

    figures.add(
        "size of the WAL under load", n=4 * ROUNDS, unit="commits", failures=int(largest > BOUND),
        detail=f"{largest >> 20} MiB; {held >> 20} with a reader that stays, and then no more",
    )  # fmt: skip
    assert largest < BOUND
    assert held > BOUND
    assert after - held < ONE_COMMIT
    assert not log.exists()  # noqa: ASYNC240 (nothing else runs here)


async def work(database: Database, source: int, log: Path, *, rounds: int = ROUNDS) -> int:
    """Claim and release everything again and again; return how large the log became."""
    largest = 0
    for _ in range(rounds):
        claimed = await claim_batches(
            database, source, want=BATCHES, rate=1e6, now=NOW, lease=timedelta(1), owner="me"
        )
        assert len(claimed.claims) == BATCHES
        await release_batches(database, owner="me")
        largest = max(largest, log.stat().st_size)  # noqa: ASYNC240 (in memory)
    return largest


async def come_and_go(database: Database) -> None:
    """Read for a moment, over and over."""
    while True:
        with reader(database):
            await asyncio.sleep(0.002)
        await asyncio.sleep(0.001)


@contextmanager
def reader(database: Database) -> Iterator[None]:
    """Hold a view of the file open."""
    with closing(sqlite3.connect(database.file or "", isolation_level=None)) as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM batches").fetchall()
        yield
