"""The daemon as a process on a disk that is really full, at its start and at work."""

import resource
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from monitor.simulator.bolna import SimulatedBolna
from tests.accounting import account, served_states
from tests.conftest import Until
from tests.consumer import Consumer
from tests.daemon_process import DaemonProcess
from tests.faults.disk.ending import is_told, keys, put_lives
from tests.faults.disk.readiness import is_ready, is_telling
from tests.faults.disk.wholeness import find_halves
from tests.faults.figures import FULL, Figures
from tests.faults.settings import config

KINDS = ("small", "limited") if FULL else ("small",)
SIZES = (4096, 20_000, 60_000, 100_000) if FULL else (60_000,)
"""Bytes of a file that a start may write: too few for the schema, enough for what it says."""
IO_ERROR = "disk I/O error: make sure that the disk has room, can be written, and is well"
OWN_LOG = 32 * 1024
"""Bytes of a file that stay writable, so that its log does."""


class Limited:
    """Refuse a process every byte of a file beyond a place: `EFBIG`, whoever it is."""

    why = IO_ERROR

    def __init__(self, daemon: DaemonProcess) -> None:
        self._daemon = daemon

    def fill(self) -> None:
        """Let it write no more."""
        _, hard = resource.prlimit(self._daemon.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self._daemon.pid, resource.RLIMIT_FSIZE, (OWN_LOG, hard))

    def empty(self) -> None:
        """Let it write again."""
        _, hard = resource.prlimit(self._daemon.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self._daemon.pid, resource.RLIMIT_FSIZE, (hard, hard))


class Small:
    """Fill a small file system to its last byte: `ENOSPC`."""

    why = "database or disk is full"

    def __init__(self, folder: Path) -> None:
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Leave no room."""
        with self._filler.open("ab", buffering=0) as filler, suppress(OSError):
            while True:
                filler.write(bytes(4096))

    def empty(self) -> None:
        """Give the room back."""
        self._filler.unlink()


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """Mount a file system of 16 MiB, where one may; tell whether that was so.

    A database and the 4 MiB to which its log grows must fit in.
    """
    folder.mkdir()
    mount = ("mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder))
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(("umount", "-l", str(folder)), check=True)


@contextmanager
def limited(size: int) -> Iterator[None]:
    """Let processes that are started now write no file beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("kind", KINDS)
async def test_a_daemon_on_a_full_disk_stays_up_says_so_and_goes_on(
    kind: str,
    tmp_path: Path,
    consumer: Consumer,
    daemon: DaemonProcess,
    until: Until,
    figures: Figures,
) -> None:
    with small_disk(tmp_path / "disk") as mounted:
        file = tmp_path / ("disk/monitor.db" if mounted and kind == "small" else "monitor.db")
        daemon.database_url = f"sqlite:///{file}"
        disk = Small(file.parent) if file.parent != tmp_path else Limited(daemon)
        async with SimulatedBolna(key="key") as bolna:
            lives = put_lives(bolna, kind, seconds=3, batches=8)
            daemon.configure(config(bolna.base_url, {"crm": consumer.url}, lives))
            await daemon.start()
            await until(lambda: len(consumer.accepted) > 3, what="first webhooks")

            disk.fill()
            await until(lambda: is_ready(daemon, "not ready"), what="it is not ready")
            await until(lambda: is_telling(daemon), what="a loop meets it")
            said = await daemon.get("/-/ready")
            broken = find_halves(file)
            alive = daemon.alive and await daemon.get("/-/healthy")
            disk.empty()

            await until(lambda: is_ready(daemon, "ready"), what="it is ready again")
            await until(lambda: is_told(lives, {"crm": consumer}), what="all is told")
            await until(lambda: daemon.stored().owed <= keys(consumer), what="all has arrived")
            status = await daemon.stop()
            broken += find_halves(file)
            found = account(
                consumer.accepted,
                daemon.stored(),
                served_states(bolna, lives),
                receivers=["crm"],
                bad_signatures=consumer.bad_signatures,
            )
    how = "no room" if file.parent != tmp_path else "a limit on its files"
    figures.add(
        f"daemon process on a full disk, {kind}", n=1, unit="run",
        failures=found.failures + len(broken), detail=f"by {how}: {found}",
    )  # fmt: skip
    assert disk.why in said
    assert broken == []
    assert alive
    assert found.failures == 0, found
    assert len(daemon.lines("daemon.started")) == 1
    assert daemon.lines("database.recovered") != []
    assert daemon.lines("loop.crashed") == []
    assert status == 0


async def test_a_start_on_a_full_disk_ends_with_the_reason_and_leaves_nothing_half(
    daemon: DaemonProcess, consumer: Consumer, until: Until
) -> None:
    file = daemon.folder / "monitor.db"
    async with SimulatedBolna(key="key") as bolna:
        lives = put_lives(bolna, "start", seconds=0.1)
        daemon.configure(config(bolna.base_url, {"crm": consumer.url}, lives))
        for size in SIZES:
            with limited(size):
                await daemon.start()
            assert await daemon.end() == 1
            said = daemon.log.read_text().splitlines()[-1]
            assert said == f"the database {file} failed: {IO_ERROR}"
            assert tables(file) == set()

        await daemon.start()
        await until(lambda: is_told(lives, {"crm": consumer}), what="all is told")
        await daemon.stop()
    assert find_halves(file) == []


async def test_a_command_that_finds_the_disk_full_says_so_at_once_and_changes_nothing(
    tmp_path: Path, migrated_sqlite: Path, daemon: DaemonProcess, consumer: Consumer
) -> None:
    with small_disk(tmp_path / "disk") as mounted:
        file = tmp_path / ("disk/monitor.db" if mounted else "monitor.db")
        daemon.database_url = f"sqlite:///{file}"
        daemon.configure(config("http://127.0.0.1:1", {"crm": consumer.url}, []))
        shutil.copy(migrated_sqlite, file)

        if mounted:
            disk = Small(file.parent)
            disk.fill()
            status, said = await daemon.command("add", "bolna", "b1")
            disk.empty()
        else:
            with limited(0):
                status, said = await daemon.command("add", "bolna", "b1")

        # without a daemon's index of the log there, no room for one is what SQLite meets first
        assert (status, said) == (1, f"the database {file} failed: {IO_ERROR}\n")
        with closing(sqlite3.connect(file)) as connection:
            assert connection.execute("SELECT * FROM batches").fetchall() == []


def tables(file: Path) -> set[str]:
    """Return the tables that there are."""
    with closing(sqlite3.connect(file)) as connection:
        return {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
