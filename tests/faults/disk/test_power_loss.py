"""Power loss at any byte: no half transaction, and all that was told is still known."""

import shutil
import sqlite3
import tempfile
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
import structlog
from aiohttp import web

from monitor.simulator.bolna import SimulatedBolna
from monitor.simulator.lives import Life
from monitor.storage.servers import sqlite
from tests.accounting import Account, account, served_states
from tests.conftest import Until
from tests.consumer import Accepted, Consumer
from tests.daemon_process import DaemonProcess
from tests.faults.clock import other_clock
from tests.faults.clock.other_clock import ClockFile
from tests.faults.disk.disk import Cut, Disk, Sync, Write, under
from tests.faults.disk.ending import is_told, keys, put_lives
from tests.faults.disk.inside import Inside, run_inside
from tests.faults.disk.power import Loss, losses, states
from tests.faults.disk.recovery import Recovery
from tests.faults.figures import Figures, sized
from tests.faults.settings import config
from tests.patient import HANG
from tests.simulator.faults import Fault

LOSSES = sized(short=500, full=20_000)
DAEMONS = sized(short=2, full=20)
MOVING = float(sized(short=2, full=10))
HOLD, PROBE = 6, 61
"""Seconds until a receiver that is held, and an account that fails, are tried again."""
AHEAD = HOLD + PROBE
"""Seconds by which the daemon's clock is put forward before the power goes, at most: what is
planned by it is due to the one that is started afterwards, whose clock has gone on."""
CHECKPOINT = 100
"""Pages: a tenth of what SQLite waits for, so that the power goes amid checkpoints, too."""
RECEIVERS = ("crm", "ops")
MEMORY = Path("/dev/shm")  # noqa: S108 (a folder of our own in it)
IN_MEMORY = str(MEMORY) if MEMORY.is_dir() else None


class Witness(Consumer):
    """Note where in the disk's log each webhook came."""

    def __init__(self, disk: Disk) -> None:
        super().__init__()
        self.came: list[int] = []
        """For each one accepted, how long the log was when it came."""
        self._disk = disk

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        came = len(self._disk.log)
        answer = await super()._answer(request)
        if answer.status == 200:
            self.came.append(came)
        return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Lived:
    """Hold a life of the daemon that ended before the power went."""

    log: list[Write | Cut | Sync]
    base: bytes
    accepted: list[tuple[int, Accepted]]
    """How long the log was when a webhook came, in that order."""
    pruned_from: int
    """How long the log was when retention began to take events."""


async def test_a_power_loss_at_any_byte_leaves_no_half_transaction(
    tmp_path: Path,
    migrated_sqlite: Path,
    until: Until,
    figures: Figures,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pragmas = (*sqlite._PRAGMAS, f"PRAGMA wal_autocheckpoint = {CHECKPOINT}")
    monkeypatch.setattr(sqlite, "_PRAGMAS", pragmas)
    async with SimulatedBolna(key="key") as bolna:
        lives = put_lives(bolna, 5, seconds=MOVING, batches=12)
        lived = await live(tmp_path, migrated_sqlite, bolna, lives, until)
        came = [at for at, _ in lived.accepted]
        told = [webhook.event_id for _, webhook in lived.accepted]
        found: Counter[str] = Counter()
        kept: list[Loss] = []
        apart = LOSSES * 4 // 5 // DAEMONS  # the last ones are amid retention
        chosen = range(apart // 2, apart * DAEMONS, apart)
        with tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder:
            recovery = Recovery(Path(folder), states(lived.log, lived.base))
            drawn = losses(lived.log, lived.base, number=LOSSES, dice=Random(5))
            for number, loss in enumerate(drawn):
                before = told[: bisect_right(came, loss.at)]
                pruned = loss.at >= lived.pruned_from
                found.update(recovery.wrong(loss, before, pruned=pruned))
                if number in chosen and not pruned:
                    kept.append(loss)
        figures.add(
            "power loss at any byte, SQLite", n=LOSSES, unit="losses", failures=found.total(),
            detail=f"{recovery}, {lived.log.count(Sync(''))} checkpoints;"
            f" {dict(found) or 'nothing half, nothing forgotten'}",
        )  # fmt: skip
        assert not found
        assert Sync("") in lived.log

        accounts = [
            await go_on(restored(tmp_path, loss), loss, lived, bolna, lives, until) for loss in kept
        ]
    figures.add(
        "daemon started after a power loss", n=len(accounts), unit="starts",
        failures=sum(one.failures for one in accounts), detail=str(accounts[-1]),
    )  # fmt: skip
    assert len(accounts) == DAEMONS
    assert [one for one in accounts if one.failures] == []


async def live(
    folder: Path, migrated: Path, bolna: SimulatedBolna, lives: Mapping[str, Life], until: Until
) -> Lived:
    """Let a daemon claim, record, settle, hold, fail, recover, keep house, and forget."""
    file = folder / "monitor.db"
    shutil.copy(migrated, file)
    base = file.read_bytes()
    disk = Disk(file, recording=True)
    receivers = {name: Witness(disk) for name in RECEIVERS}
    for receiver in receivers.values():
        await receiver.start()
    with under(disk), structlog.testing.capture_logs() as log:
        async with run_inside(
            file, provider_url=bolna.base_url, receivers=receivers, ids=lives, log=log
        ) as daemon:
            await disturb(daemon, bolna, receivers["ops"], until)
            await until(
                lambda: is_told(lives, receivers), seconds=MOVING + HANG, what="all is told"
            )
            pruned_from = len(disk.log)
            housekeeping = daemon.engine.housekeeping
            housekeeping.change(replace(housekeeping.parts, retention=timedelta()))
            await until(lambda: has_forgotten(daemon, file), what="all is forgotten")
            written = disk.log[:]
    for receiver in receivers.values():
        await receiver.stop()
    accepted = [
        (came, webhook)
        for receiver in receivers.values()
        for came, webhook in zip(receiver.came, receiver.accepted, strict=True)
    ]
    accepted.sort(key=lambda item: item[0])
    return Lived(log=written, base=base, accepted=accepted, pruned_from=pruned_from)


async def disturb(daemon: Inside, bolna: SimulatedBolna, ops: Consumer, until: Until) -> None:
    """Let a receiver be held and the account fail for a while each."""
    (source,) = daemon.engine.sources
    held = {receiver.name: receiver for receiver in daemon.engine.receivers}["ops"]
    await until(lambda: len(ops.accepted) > 3, what="first webhooks")
    ops.status = 503
    await until(lambda: held.hold is not None, what="a hold")
    daemon.engine.housekeeping.loop.bell.ring()
    ops.status = 200
    daemon.clock.advance(seconds=HOLD)
    await until(lambda: held.hold is None, what="the hold's end")
    bolna.fault(Fault.unauthorized())
    await until(lambda: source.health.failing_since is not None, what="a failure")
    bolna.lift()
    daemon.clock.advance(seconds=PROBE)
    await until(lambda: source.health.failing_since is None, what="a recovery")


def has_forgotten(daemon: Inside, file: Path) -> bool:
    """Ask for retention; tell whether it has taken all events."""
    daemon.engine.housekeeping.loop.bell.ring()
    with closing(sqlite3.connect(file)) as connection:  # SQLite's own handles share its locks
        number: int = connection.execute("SELECT count(*) FROM events").fetchone()[0]
    return number == 0


def restored(folder: Path, loss: Loss) -> Path:
    """Return a folder of its own with the database that a loss left."""
    own = folder / str(loss.at)
    own.mkdir()
    loss.save(own / "monitor.db")
    return own


async def go_on(
    folder: Path,
    loss: Loss,
    lived: Lived,
    bolna: SimulatedBolna,
    lives: Mapping[str, Life],
    until: Until,
) -> Account:
    """Start the daemon on what a loss left; settle the account of its whole life."""
    daemon, consumer = DaemonProcess(folder), Consumer()
    before = [webhook for came, webhook in lived.accepted if came <= loss.at]
    for webhook in before:
        consumer.remember(webhook)
    await consumer.start()
    ClockFile(clock := folder / "clock").step(AHEAD)
    daemon.configure(config(bolna.base_url, dict.fromkeys(RECEIVERS, consumer.url), lives))
    try:
        await daemon.start(other_clock.__name__, environment={other_clock.VARIABLE: str(clock)})
        both = dict.fromkeys(RECEIVERS, consumer)
        await until(lambda: is_told(lives, both), what="all ends are told")
        await until(  # the last poll's events come one after the other
            lambda: daemon.stored().owed <= keys(consumer), what="all that is owed has arrived"
        )
        await daemon.stop()
    finally:
        await daemon.close()
        await consumer.stop()
    return account(
        consumer.accepted,
        daemon.stored(),
        served_states(bolna, lives),
        receivers=["crm"],
        bad_signatures=consumer.bad_signatures,
    )
