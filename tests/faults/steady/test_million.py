"""A million snapshots, events and deliveries: all goes as fast as without, retention holds."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TypeVar

import pytest

from monitor.engine.clock import Clock
from monitor.engine.housekeeping import Housekeeping
from monitor.engine.metrics import Metrics
from monitor.engine.parts import Parts, Resources
from monitor.storage.batches.claim import due_sources
from monitor.storage.database import Database
from monitor.storage.deliveries.claim import due_receivers
from tests.conftest import Until
from tests.faults.figures import FULL, Figures, sized
from tests.storage.bulk import fill_backlog, fill_batches, fill_history
from tests.storage.store import Store, running

T = TypeVar("T")
START = datetime.now(UTC).replace(microsecond=0)
OLD = int((START - timedelta(minutes=30)).timestamp() * 1000)
HISTORY = sized(short=8_000, full=1_000_000)
BATCHES = sized(short=2_000, full=100_000)
DEAD = sized(short=3_000, full=100_000)
ROUNDS = sized(short=8, full=100)
GROUP = 20
SLOTS = 8
RATIO, NOISE = 1.5, 0.002 if FULL else 0.005
"""How much slower each may be, and seconds that are forgiven besides: Postgres reads a small table
from end to end rather than by an index."""
WAIT, LONGEST_WAIT = 1.0, 5.0
"""Seconds that 99 of 100 claims, and any claim, may take while retention is at work: after the
latter SQLite refuses what another process wants to write. None takes half of all that time."""


_CALLS = count(1)


class Timed:
    """Do what the engine does to one database, and keep how long each statement group took."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = START
        self.seconds: dict[str, list[float]] = {}
        self._calls = next(_CALLS) * 1_000_000

    async def round(self) -> None:
        """Poll a group of batches that all tell something, and deliver some of it."""
        store, now = self.store, self.now
        self._calls += 1
        await self._time("due_sources", due_sources(store.database))
        claimed = await self._time(
            "claim batches", store.claim(source="s1", want=GROUP, rate=1e6, at=now)
        )
        assert len(claimed.claims) == GROUP
        records = [
            store.record_of(claim, running(calls=self._calls), at=now, due=now)
            for claim in claimed.claims
        ]
        assert all(record.owed for record in records)
        await self._time("record", store.write(*records, at=now))
        await self._time("due_receivers", due_receivers(store.database))
        taken = await self._time("claim deliveries", store.take("crm", limit=SLOTS, at=now))
        assert len(taken) == SLOTS
        await self._time("settle", store.settle(*taken, at=now))
        while rest := await store.take("crm", limit=1000, at=now):
            await store.settle(*rest, at=now)

    async def claim_of_dead(self) -> None:
        """Claim from the receiver for which a whole backlog waits."""
        taken = await self._time("dead", self.store.take("dead", limit=SLOTS, at=self.now))
        assert len(taken) == SLOTS

    async def _time(self, name: str, work: Awaitable[T]) -> T:
        began = time.perf_counter()
        found = await work
        self.seconds.setdefault(name, []).append(time.perf_counter() - began)
        return found

    def usual(self, name: str) -> float:
        """Return the lower quartile in seconds: what else the machine does only adds to it."""
        return statistics.quantiles(self.seconds[name], n=4)[0]


@pytest.fixture
async def stores(
    two_urls: list[str], open_database: Callable[[str], Database]
) -> tuple[Store, Store]:
    """Fill both with the same batches, and the second one with a long past."""
    new, old = (Store(open_database(url)) for url in two_urls)
    for store in (new, old):
        await store.receivers("crm", "dead")
        await fill_batches(store, BATCHES, at=START)
    await fill_history(old, HISTORY, batches=BATCHES, at=START)
    await fill_backlog(old, DEAD, "dead", at=START)
    if old.database.dialect == "postgresql":  # as autovacuum does, which the test's server has not
        await old.run("ANALYZE")
        await new.run("ANALYZE")
    return new, old


async def test_a_long_past_slows_nothing_and_goes_without_holding_anybody_up(
    stores: tuple[Store, Store], figures: Figures, until: Until
) -> None:
    new, old = map(Timed, stores)
    for _ in range(ROUNDS):
        await new.round()
        await old.round()
        await old.claim_of_dead()
    database = stores[1].database
    slower = {
        name: (old.usual(name), new.usual(name))
        for name in new.seconds
        if old.usual(name) > RATIO * new.usual(name) + NOISE
    }
    if old.usual("dead") > RATIO * new.usual("claim deliveries") + NOISE:
        slower["dead"] = (old.usual("dead"), new.usual("claim deliveries"))
    figures.add(
        f"a long past, {database.dialect}", n=HISTORY, unit="rows", failures=len(slower),
        detail=", ".join(
            f"{name} {old.usual(name) * 1000:.2f} ms ({old.usual(name) / new.usual(name):.2f})"
            for name in new.seconds
        )
        + f"; claim behind {DEAD:,} of a dead receiver {old.usual('dead') * 1000:.2f} ms",
    )  # fmt: skip

    during = Timed(stores[1])
    parts = Parts(
        sources=[],
        receivers=[],
        routes=(),
        concurrency=1,
        deadline=timedelta(minutes=1),
        retention=timedelta(minutes=30),
    )
    resources = Resources(database=database, clock=Clock(START), metrics=Metrics(), owner="one")
    housekeeping = Housekeeping(resources, parts)
    began = time.monotonic()
    keeping = asyncio.create_task(housekeeping.loop.run(housekeeping.turn))
    while await stores[1].value("SELECT count(*) FROM attempts WHERE at < :old", old=OLD):
        await during.round()
    seconds = time.monotonic() - began
    housekeeping.loop.close()
    await keeping
    waits = sorted(wait for name in during.seconds for wait in during.seconds[name])
    longest, p99 = waits[-1], waits[int(len(waits) * 0.99)]
    late = p99 > WAIT or longest > min(LONGEST_WAIT, seconds / 2)
    figures.add(
        f"retention, {database.dialect}", n=HISTORY, unit="rows", failures=int(late),
        detail=f"{HISTORY / seconds:,.0f} a second; meanwhile a claim, a record or a settle takes"
        f" {statistics.median(waits) * 1000:.1f} ms, p99 {p99 * 1000:.0f} ms,"
        f" at the most {longest * 1000:.0f} ms",
    )  # fmt: skip

    assert slower == {}
    assert not late, "somebody waited for retention"
    assert await stores[1].value("SELECT count(*) FROM snapshots WHERE at < :old", old=OLD) == 0
    assert await stores[1].value("SELECT count(*) FROM deliveries WHERE state = 'pending'") == DEAD
