"""A start and a stop with many registered batches take hardly longer than with none."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from monitor.core.batch import Origin
from monitor.storage.batches.register import Registration, register_batches
from monitor.storage.database import Database
from monitor.storage.sources import register_sources
from tests.conftest import Until
from tests.daemon_process import DaemonProcess
from tests.faults.figures import FULL, TIMED, Figures, sized
from tests.faults.settings import config
from tests.faults.steady.footprint import Footprint, footprint
from tests.patient import HANG
from tests.storage.bulk import fill_batches
from tests.storage.store import Store

BATCHES = sized(short=20_000, full=100_000)
ROUNDS = sized(short=1, full=7)
NOISE = 0.0 if FULL else 2.0
"""Seconds that the short run forgives, whose CPU is the measure: it starts each but once."""
NOWHERE = "http://127.0.0.1:9"
MOST_KIB = 200 * 1024
MILLION = sized(short=100_000, full=1_000_000)
PLANS = sized(short=5_000, full=1_000_000)
MOST_SECONDS = 5.0
HOUR = timedelta(hours=1)


async def test_a_start_with_many_batches_takes_at_most_twice_as_long(
    two_urls: list[str],
    tmp_path: Path,
    open_database: Callable[[str], Database],
    until: Until,
    figures: Figures,
) -> None:
    empty, full = two_urls
    await register_many(open_database(full))
    starts: dict[str, list[tuple[float, Footprint]]] = {empty: [], full: []}
    for number in range(ROUNDS):
        for place, url in enumerate(two_urls):
            folder = tmp_path / f"{number}-{place}"
            folder.mkdir()
            starts[url].append(await start(DaemonProcess(folder, url), until))

    least = {url: min(seconds for seconds, _ in some) for url, some in starts.items()}
    cpu = {url: min(found.cpu for _, found in some) for url, some in starts.items()}
    memory = {url: min(found.memory for _, found in some) for url, some in starts.items()}
    longer, more = least[full] / least[empty], cpu[full] / cpu[empty]
    figures.add(
        f"start, {full.partition(':')[0]}", n=BATCHES, unit="batches",
        failures=int(more > 2),
        detail=f"ready in {least[full]:.2f} s, without any in {least[empty]:.2f} s ({longer:.2f});"
        f" CPU {cpu[full]:.2f} s and {cpu[empty]:.2f} s ({more:.2f}); memory"
        f" {memory[full] / 1024:.0f} MiB, {(memory[full] - memory[empty]) / BATCHES:.3f} KiB each",
    )  # fmt: skip
    assert least[full] <= 2 * least[empty] + NOISE or not TIMED
    assert more <= 2
    assert memory[full] <= MOST_KIB
    assert memory[full] - memory[empty] <= BATCHES


async def test_a_million_batches_hold_up_neither_start_nor_stop(
    database_url: str,
    tmp_path: Path,
    open_database: Callable[[str], Database],
    until: Until,
    figures: Figures,
) -> None:
    """Nor do those that a killed daemon had claimed."""
    store = Store(open_database(database_url))
    await fill_batches(store, MILLION, at=datetime.now(UTC) + HOUR)
    await store.run(
        "UPDATE batches SET due_at = next_poll_at, lease_owner = 'killed' WHERE id % 1000 = 0"
    )
    daemon = DaemonProcess(tmp_path, database_url, instance="killed")
    daemon.configure(config(NOWHERE, {}, [], sources=store.sources))
    try:
        started = await seconds_to_start(daemon, until)
        code, stopped = await daemon.stop(), daemon.stopped_in
    finally:
        await daemon.close()

    leased = await store.value("SELECT count(*) FROM batches WHERE lease_owner IS NOT NULL")
    kept = daemon.lines("leases.kept")
    figures.add(
        f"start and stop, {store.database.dialect}", n=MILLION, unit="batches",
        failures=code + leased + len(kept),
        detail=f"ready in {started:.2f} s, ended in {stopped:.2f} s",
    )  # fmt: skip
    assert (code, leased, kept) == (0, 0, [])
    assert max(started, stopped) <= MOST_SECONDS or not TIMED


async def test_a_million_plans_of_a_clock_put_back_are_mended_beside_all_else(
    database_url: str,
    tmp_path: Path,
    open_database: Callable[[str], Database],
    until: Until,
    figures: Figures,
) -> None:
    store = Store(open_database(database_url))
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    await fill_batches(store, PLANS, at=tomorrow)
    ahead = int(tomorrow.timestamp() * 1000)
    await store.run("UPDATE sources SET tokens_at = :ahead", ahead=ahead)
    daemon = DaemonProcess(tmp_path, database_url)
    daemon.configure(config(NOWHERE, {}, [], sources=store.sources))

    async def mended() -> bool:
        return not await store.value("SELECT count(*) FROM sources WHERE planned_ahead")

    try:
        started = await seconds_to_start(daemon, until)
        began = time.perf_counter()
        await until(mended, seconds=10 * HANG, what="all plans are mended")
        seconds = time.perf_counter() - began
        code, stopped = await daemon.stop(), daemon.stopped_in
    finally:
        await daemon.close()

    left = await store.value(
        "SELECT count(*) FROM batches WHERE next_poll_at > :later",
        later=int((tomorrow - timedelta(hours=12)).timestamp() * 1000),
    )
    told = len(daemon.lines("clock.stepped"))
    figures.add(
        f"a clock put back, {store.database.dialect}", n=PLANS, unit="batches",
        failures=code + left + (told != 1),
        detail=f"ready in {started:.2f} s, all plans mended {seconds:.1f} s later, ended in"
        f" {stopped:.2f} s",
    )  # fmt: skip
    assert (code, left, told) == (0, 0, 1)
    assert max(started, stopped) <= MOST_SECONDS or not TIMED


async def seconds_to_start(daemon: DaemonProcess, until: Until) -> float:
    began = time.perf_counter()
    await daemon.start()
    await until(lambda: daemon.lines("daemon.started") != [], what="the start")
    return time.perf_counter() - began


async def register_many(database: Database) -> None:
    """Register batches that are due in an hour, so that none is polled as yet."""
    await register_sources(database, {"bolna": "bolna"})
    wanted = [Registration(source="bolna", id=f"{number:032x}") for number in range(BATCHES)]
    due_at = datetime.now(UTC) + timedelta(hours=1)
    registered = await register_batches(database, wanted, origin=Origin.ADDED, now=due_at)
    assert registered.new == BATCHES


async def start(daemon: DaemonProcess, until: Until) -> tuple[float, Footprint]:
    """Start a daemon; return the seconds until it was ready, and its footprint then.

    The lowest of several is what it takes: what else the machine does only adds to that.
    """
    daemon.configure(config(NOWHERE, {"crm": NOWHERE}, []))
    try:
        began = time.perf_counter()
        await daemon.start()
        await until(lambda: daemon.lines("daemon.started") != [], what="the start")

        async def ready() -> bool:
            return await daemon.get("/-/ready") == "ready\n"

        await until(ready, what="it is ready")
        return time.perf_counter() - began, footprint(daemon.pid)
    finally:
        await daemon.close()
