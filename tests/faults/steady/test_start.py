"""A start with many registered batches takes hardly longer than one with none, and no memory."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from monitor.core.batch import Origin
from monitor.storage.database import Database
from monitor.storage.registry import Registration, register_batches
from monitor.storage.sources import register_sources
from tests.conftest import Until
from tests.faults.daemon import Daemon
from tests.faults.figures import FULL, TIMED, Figures, sized
from tests.faults.settings import config
from tests.faults.steady.footprint import Footprint, footprint

BATCHES = sized(short=20_000, full=100_000)
ROUNDS = sized(short=1, full=7)
NOISE = 0.0 if FULL else 2.0
"""Seconds that the short run forgives, whose CPU is the measure: it starts each but once."""
NOWHERE = "http://127.0.0.1:9"
MOST_KIB = 200 * 1024


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
            starts[url].append(await start(Daemon(folder, url), until))

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


async def register_many(database: Database) -> None:
    """Register batches that are due in an hour, so that none is polled as yet."""
    await register_sources(database, {"bolna": "bolna"})
    wanted = [Registration(source="bolna", id=f"{number:032x}") for number in range(BATCHES)]
    due_at = datetime.now(UTC) + timedelta(hours=1)
    registered = await register_batches(database, wanted, origin=Origin.ADDED, now=due_at)
    assert registered.new == BATCHES


async def start(daemon: Daemon, until: Until) -> tuple[float, Footprint]:
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
