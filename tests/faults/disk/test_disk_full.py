"""A disk that is full, or takes nothing: nothing half, not ready, on once it is mended."""

import asyncio
import shutil
import time
from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import cycle
from pathlib import Path

import pytest
import structlog

from monitor.core.errors import StorageError
from monitor.simulator.bolna import SimulatedBolna
from monitor.storage.database import Database
from tests.accounting import account, read_stored, served_states
from tests.conftest import Until
from tests.consumer import Consumer
from tests.faults.disk.disk import Disk, Trouble, under
from tests.faults.disk.ending import is_told, keys, put_lives
from tests.faults.disk.inside import Inside, Log, run_inside
from tests.faults.disk.wholeness import find_halves
from tests.faults.figures import TIMED, Figures, sized

RUNS = sized(short=8, full=300)
AT_ONCE = 8
MOVING = 1.0
SECONDS = 10.0
"""Within which it goes on once the disk takes writes again."""
TRIES = 4
"""Writes that are refused while it is watched whether it still polls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Hold what one run found wrong, and the seconds until it polled again."""

    wrong: list[str]
    seconds: float


async def test_a_disk_that_fails_at_any_write_costs_nothing_but_time(
    tmp_path: Path, migrated_sqlite: Path, until: Until, figures: Figures
) -> None:
    troubles = cycle(Trouble)
    disks = [Disk(tmp_path / f"{number}.db") for number in range(RUNS)]
    slots = asyncio.Semaphore(AT_ONCE)
    with under(*disks), structlog.testing.capture_logs() as log:

        async def run(number: int, disk: Disk, trouble: Trouble) -> Outcome:
            async with slots:
                shutil.copy(migrated_sqlite, disk.database)
                return await endure(disk, trouble, number * 300 // RUNS, log, until)

        outcomes = await asyncio.gather(
            *(run(n, disk, next(troubles)) for n, disk in enumerate(disks))
        )
    wrong = Counter(word for outcome in outcomes for word in outcome.wrong)
    slowest = max(outcome.seconds for outcome in outcomes)
    figures.add(
        "disk full or read-only at a write, SQLite", n=RUNS, unit="runs", failures=wrong.total(),
        detail=f"on within {slowest:.1f} s; {dict(wrong) or 'nothing half, nothing lost'}",
    )  # fmt: skip
    assert not wrong
    assert [line for line in log if line["event"] == "loop.crashed"] == []
    assert slowest < SECONDS or not TIMED


async def test_retention_on_a_full_disk_takes_whole_events_once_there_is_room(
    tmp_path: Path, migrated_sqlite: Path, consumer: Consumer, until: Until
) -> None:
    disk = Disk(tmp_path / "monitor.db")
    shutil.copy(migrated_sqlite, disk.database)
    async with SimulatedBolna(key="key") as bolna:
        lives = put_lives(bolna, "retention", seconds=MOVING)
        with under(disk), structlog.testing.capture_logs() as log:
            async with run_inside(
                disk.database,
                provider_url=bolna.base_url,
                receivers={"crm": consumer},
                ids=lives,
                log=log,
            ) as daemon:
                await until(lambda: is_told(lives, {"crm": consumer}), what="all told")
                housekeeping = daemon.engine.housekeeping
                housekeeping.change(replace(housekeeping.parts, retention=timedelta()))
                disk.fail(Trouble.FULL, after=2)
                housekeeping.loop.bell.ring()
                await until(lambda: housekeeping.loop.outage.reason is not None, what="it met that")
                assert await says(daemon, 503)
                assert find_halves(disk.database, pruned=True) == []
                disk.mend()

                def is_empty() -> bool:
                    housekeeping.loop.bell.ring()
                    return read_stored(f"sqlite:///{disk.database}").events == frozenset()

                await until(is_empty, what="retention took all")
    assert find_halves(disk.database, pruned=True) == []


async def test_a_disk_that_takes_nothing_is_not_asked_for_a_database_again_and_again(
    tmp_path: Path,
) -> None:
    disk = Disk(tmp_path / "monitor.db")
    disk.fail(Trouble.READ_ONLY, after=0)
    database = Database(f"sqlite:///{disk.database}")

    with under(disk), pytest.raises(StorageError, match="disk I/O error: make sure that"):
        await database.write(lambda _: None)

    await database.close()
    assert 0 < disk.refused < 5


async def endure(disk: Disk, trouble: Trouble, after: int, log: Log, until: Until) -> Outcome:
    """Let the disk fail from a write on, and settle the account of it all."""
    wrong: list[str] = []
    consumer = Consumer()
    await consumer.start()
    async with SimulatedBolna(key="key") as bolna:
        lives = put_lives(bolna, disk.database.stem, seconds=MOVING)
        async with run_inside(
            disk.database,
            provider_url=bolna.base_url,
            receivers={"crm": consumer},
            ids=lives,
            log=log,
        ) as daemon:
            disk.fail(trouble, after=after)
            await until(lambda: disk.refused > 0, what=f"write {after} is refused")
            await until(lambda: says(daemon, 503), what="it is not ready")
            await pause(daemon, bolna, disk, until)
            status, text = await daemon.ready()
            if status != 503 or str(disk.database) not in text:
                wrong.append(f"it says {status} {text!r}")
            wrong += find_halves(disk.database)
            before, mended = len(bolna.served), time.monotonic()
            disk.mend()
            await until(lambda: len(bolna.served) > before, what="it polls again")
            seconds = time.monotonic() - mended
            await until(lambda: says(daemon, 200), what="it is ready again")
            await until(lambda: is_told(lives, {"crm": consumer}), what="all is told")
            url = f"sqlite:///{disk.database}"
            await until(lambda: read_stored(url).owed <= keys(consumer), what="all has arrived")
            wrong += find_halves(disk.database)
        found = account(
            consumer.accepted,
            read_stored(url),
            served_states(bolna, lives),
            receivers=["crm"],
            bad_signatures=consumer.bad_signatures,
        )
    await consumer.stop()
    return Outcome(wrong=[*wrong, *found.complaints.splitlines()], seconds=seconds)


async def says(daemon: Inside, status: int) -> bool:
    """Tell whether `/-/ready` says so."""
    return (await daemon.ready())[0] == status


async def pause(daemon: Inside, bolna: SimulatedBolna, disk: Disk, until: Until) -> None:
    """Wait until it polls nothing any more, while it tries and tries to write."""
    polls = -1
    while daemon.polling or polls != len(bolna.served):
        polls, refused = len(bolna.served), disk.refused
        await until(lambda r=refused: disk.refused > r + TRIES, what="more writes are tried")
