"""The database's file goes from under the daemon: it says so, takes no work, and loses none."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from monitor.simulator.bolna import SimulatedBolna
from tests.accounting import account, served_states
from tests.conftest import Until
from tests.consumer import Consumer
from tests.daemon_process import DaemonProcess
from tests.faults.disk.ending import is_told, keys, put_lives
from tests.faults.disk.readiness import is_ready, is_telling
from tests.faults.figures import Figures
from tests.faults.settings import config

SAYS = {
    "moved": "was removed while it was in use",
    "replaced": "was replaced by another file while it was in use",
}


@pytest.mark.parametrize("how", SAYS)
async def test_a_file_that_goes_is_told_and_nothing_is_lost(
    how: str,
    migrated_sqlite: Path,
    consumer: Consumer,
    daemon: DaemonProcess,
    until: Until,
    figures: Figures,
) -> None:
    file, elsewhere = daemon.folder / "monitor.db", daemon.folder / "elsewhere"
    elsewhere.mkdir()
    async with SimulatedBolna(key="key") as bolna:
        lives = put_lives(bolna, how, seconds=3, batches=8)
        daemon.configure(config(bolna.base_url, {"crm": consumer.url}, lives))
        await daemon.start()
        await until(lambda: len(consumer.accepted) > 3, what="first webhooks")

        move_all(daemon.folder, elsewhere)
        if how == "replaced":
            shutil.copy(migrated_sqlite, file)
        await until(lambda: is_ready(daemon, "not ready"), what="it is not ready")
        await until(lambda: is_telling(daemon), what="a loop meets it")
        said = await daemon.get("/-/ready")
        asked = len(bolna.served)
        for _ in range(3):
            assert await is_ready(daemon, "not ready")
        asked_later = len(bolna.served)
        written = sorted(path.name for path in daemon.folder.glob("monitor.db*"))
        strangers = rows(file) if how == "replaced" else []
        for path in daemon.folder.glob("monitor.db"):
            path.unlink()
        move_all(elsewhere, daemon.folder)

        await until(lambda: is_ready(daemon, "ready"), what="it is ready again")
        await until(lambda: is_told(lives, {"crm": consumer}), what="all is told")
        await until(lambda: daemon.stored().owed <= keys(consumer), what="all has arrived")
        status = await daemon.stop()
        found = account(
            consumer.accepted,
            daemon.stored(),
            served_states(bolna, lives),
            receivers=["crm"],
            bad_signatures=consumer.bad_signatures,
        )
    figures.add(
        f"the database's file is {how}", n=1, unit="run", failures=found.failures, detail=str(found)
    )
    assert SAYS[how] in said
    assert asked_later - asked <= len(lives)  # those under way
    left = {"monitor.db.lock"} | ({"monitor.db"} if how == "replaced" else set())
    assert (set(written), strangers) == (left, [])
    assert found.failures == 0, found
    assert daemon.lines("loop.crashed") == []
    assert status == 0


def move_all(source: Path, target: Path) -> None:
    """Move the database with its log and its index, as `mv monitor.db*` does."""
    for name in ("monitor.db", "monitor.db-wal", "monitor.db-shm"):
        if (source / name).exists():
            (source / name).rename(target / name)


def rows(file: Path) -> list[tuple[object, ...]]:
    """Return what somebody has written into another file in its place."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True)) as connection:
        tables = ("batches", "events", "deliveries", "receivers", "sources")
        return [row for table in tables for row in connection.execute(f"SELECT * FROM {table}")]  # noqa: S608 (ours)
