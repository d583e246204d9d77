"""Back-ups beside a daemon at work: quick and whole, nobody waits for them; a kill leaves none."""

import asyncio
import os
import random
import signal
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from monitor.simulator.bolna import SimulatedBolna
from monitor.storage.database import Database
from monitor.storage.schema.version import migrate
from tests.conftest import Until
from tests.daemon_process import DaemonProcess, start_program
from tests.faults.figures import TIMED, Figures, sized
from tests.faults.settings import config
from tests.faults.unrest import changing
from tests.patient import HANG
from tests.storage.bulk import fill_batches, fill_history
from tests.storage.store import Store

ROWS = sized(short=4_000, full=1_030_000)
"""Of each kind that a long past has: in full they are a gigabyte."""
KILLS = sized(short=2, full=30)
BATCHES, INTERVAL = 30, 1.0
LONGEST, LATE, WAL = 10.0, 2.0, 64 * 1024 * 1024
"""Seconds for a gigabyte; seconds that a poll may be late meanwhile; bytes of the log."""
IDS = [f"{number:032x}" for number in range(BATCHES)]
DICE = random.Random(15)


@pytest.fixture
async def bolna(daemon: DaemonProcess, until: Until) -> AsyncIterator[SimulatedBolna]:
    """Run a daemon that has a long past, and polls 30 times a second."""
    database = Database(daemon.database_url)
    await migrate(database)
    store, now = Store(database), datetime.now(UTC)
    await store.receivers("crm")
    await fill_batches(store, 100, at=now)
    await fill_history(store, ROWS, batches=100, since=timedelta(days=1), at=now)
    await database.close()
    os.sync()  # what the test itself wrote is not to hold up the daemon's commits
    async with SimulatedBolna(key="key") as found, changing(found, IDS):
        daemon.configure(config(found.base_url, {}, IDS, polling=f'interval = "{INTERVAL:g}s"'))
        await daemon.start()
        await until(lambda: polled(found, times=2), what="all are polled")
        yield found


def polled(bolna: SimulatedBolna, *, times: int) -> bool:
    return all(len(times_of(bolna, batch)) >= times for batch in IDS)


def times_of(bolna: SimulatedBolna, batch: str) -> list[float]:
    return [served.at for served in bolna.served if served.batch == batch]


def events_in(file: Path) -> int:
    """Count the events of a file that must be whole."""
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA quick_check").fetchall() == [("ok",)]
        (number,) = connection.execute("SELECT count(*) FROM events").fetchone()
        return int(number)


async def test_a_back_up_ends_and_keeps_no_poll_waiting(
    daemon: DaemonProcess, bolna: SimulatedBolna, until: Until, figures: Figures, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.db"
    before = events_in(tmp_path / "monitor.db")

    began = time.monotonic()
    code, said = await daemon.command("backup", str(copy))
    seconds = time.monotonic() - began
    log = (tmp_path / "monitor.db-wal").stat().st_size
    rounds = min(len(times_of(bolna, batch)) for batch in IDS)
    await until(lambda: polled(bolna, times=rounds + 2), what="all are polled again")

    assert (code, copy.stat().st_mode & 0o777) == (0, 0o600), said
    after = events_in(copy)
    gaps = [
        later - one
        for batch in IDS
        for one, later in pairwise(times_of(bolna, batch))
        if later >= began
    ]
    late = max(gaps) - 1.1 * INTERVAL
    slow = seconds > LONGEST or late > LATE
    figures.add(
        "back-up beside 30 polls a second", n=1, unit="back-up",
        failures=int(after < before or log > WAL or (slow and TIMED)),
        detail=f"{copy.stat().st_size / 1e6:,.0f} MB in {seconds:.1f} s, the log"
        f" {log / 1e6:.1f} MB, a poll at most {max(late, 0):.1f} s late",
    )  # fmt: skip
    assert after >= before
    assert log <= WAL
    assert not slow or not TIMED


@pytest.mark.usefixtures("bolna")
async def test_a_killed_back_up_leaves_no_file(
    daemon: DaemonProcess, figures: Figures, tmp_path: Path
) -> None:
    copy, part = tmp_path / "copy.db", tmp_path / "copy.db.part"
    amid = 0
    for _ in range(KILLS):
        remove(copy, part)
        amid += await kill_amid(daemon, part)
        if copy.exists():  # it had ended
            events_in(copy)
    code, said = await daemon.command("backup", str(copy), "--force")
    figures.add(
        "kill -9 amid a back-up", n=KILLS, unit="kills", failures=code,
        detail=f"{amid} of them before it had ended",
    )  # fmt: skip
    assert code == 0, said
    assert events_in(copy) > 0
    assert names(tmp_path) == ["copy.db"]


async def kill_amid(daemon: DaemonProcess, part: Path) -> bool:
    """Kill a back-up once it has written so much; tell whether it had not ended by then."""
    command = ("backup", str(part).removesuffix(".part"), "-c", str(daemon.config))
    process = await start_program(*command)
    end = time.monotonic() + HANG
    enough = DICE.random() * size(daemon.folder / "monitor.db")
    while process.returncode is None and size(part) <= enough:
        assert time.monotonic() < end
        await asyncio.sleep(0)
    if process.returncode is None:
        os.kill(process.pid, signal.SIGKILL)
    return await process.wait() != 0


def size(file: Path) -> int:
    """Return the size of a file; none yet has none."""
    return file.stat().st_size if file.exists() else 0


def remove(*files: Path) -> None:
    for file in files:
        file.unlink(missing_ok=True)


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.glob("copy.db*")]
