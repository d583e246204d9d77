"""The world: one day of one seed, from the first registration to the last account."""

import asyncio
import atexit
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Final

from monitor.core.batch import Origin
from monitor.storage.batches.register import Registration, register_batches
from monitor.storage.database import Database
from monitor.storage.schema.version import migrate
from tests.faults.simulation.account import SimulatedAccount
from tests.faults.simulation.instance import Instance
from tests.faults.simulation.judge import Judge, Verdict, replay
from tests.faults.simulation.loop import VirtualLoop
from tests.faults.simulation.receiver import SimulatedReceiver
from tests.faults.simulation.seams import under
from tests.faults.simulation.setting import write_config
from tests.faults.simulation.trace import Trace
from tests.faults.simulation.weather import (
    HOUR,
    MINUTE,
    RECEIVERS,
    SOURCES,
    Weather,
)
from tests.faults.simulation.wire import Host, Wire
from tests.simulator.random_lives import random_bolna_life

DAWN: Final = datetime(2026, 1, 29, tzinfo=UTC)
DAY: Final = 24 * HOUR
LATEST_BIRTH: Final = 7 * HOUR
LONGEST_LIFE: Final = 4 * HOUR
TURNS: Final = (5 * MINUTE, 10 * MINUTE, 20 * MINUTE)
"""How long the loops wait at most for what wakes them, from seed to seed."""
LOOK: Final = 15 * MINUTE


class World:
    """Live through one seed's day."""

    dawn = DAWN

    def __init__(self, seed: int, folder: Path) -> None:
        self.weather = Weather(seed)
        self.trace = Trace(self.seconds, folder)
        self.accounts = {name: SimulatedAccount(name, self.weather, self.trace) for name in SOURCES}
        self.receivers = {
            name: SimulatedReceiver(name, self.weather, self.trace, picky=name == "ledger")
            for name in RECEIVERS
        }
        self.file = folder / "monitor.db"
        self._dice = Random(f"world of {seed}")
        self._loop = VirtualLoop()
        self.turn = self._dice.choice(TURNS)
        config = write_config(folder, self.file)
        self.instances = {
            name: Instance(name, config, weather=self.weather, trace=self.trace, now=self.now)
            for name in self.weather.instances
        }

    def seconds(self) -> float:
        """Return the seconds since dawn."""
        return self._loop.time()

    def now(self) -> datetime:
        """Return the time of the day."""
        return DAWN + timedelta(seconds=self.seconds())

    def run(self) -> Verdict:
        """Live through the day; return what is to be said of it."""
        hosts: dict[str, Host] = {f"{name}.test": one for name, one in self.accounts.items()}
        hosts |= {f"{name}.test": one for name, one in self.receivers.items()}
        shutil.copy(_migrated(), self.file)
        with (
            under(
                seconds=self.seconds,
                now=self.now,
                dice=self._dice,
                client=lambda **_: Wire(hosts, self._dice, self.trace),
                turn=self.turn,
                hear=self.trace.hear,
            ),
            asyncio.Runner(loop_factory=lambda: self._loop) as runner,
        ):
            return runner.run(self._live())

    async def _live(self) -> Verdict:
        judge = Judge(self)
        for account in self.accounts.values():
            account.on_asked = judge.judge_leases
        operator = Database(f"sqlite:///{self.file}")
        births = asyncio.create_task(self._bear(operator))
        looks = asyncio.create_task(judge.look(every=LOOK))
        try:
            for instance in self.instances.values():
                await instance.start()
            for act in self.weather.acts:
                await self._until(act.at)
                await self.instances[act.instance].suffer(act)
            await births
            await self._until(DAY)
            looks.cancel()
            for instance in self.instances.values():
                await instance.stop()
            return judge.settle()
        finally:
            await operator.close()
            for instance in self.instances.values():
                await instance.bury()

    async def _bear(self, operator: Database) -> None:
        """Register batches over the morning, each with a life of hours."""
        births = sorted(
            self._dice.uniform(0, LATEST_BIRTH) for _ in range(self._dice.randint(2, 6))
        )
        for number, at in enumerate(births):
            await self._until(at)
            account = self.accounts[self._dice.choice(SOURCES)]
            batch = f"{number:032x}"
            account.lives[batch] = random_bolna_life(
                batch,
                seed=self._dice.random(),
                seconds=self._dice.uniform(HOUR / 2, LONGEST_LIFE),
                clock=self.seconds,
            )
            wanted = [Registration(source=account.name, id=batch)]
            await register_batches(operator, wanted, origin=Origin.ADDED, now=self.now())
            self.trace(f"registered {account.name} {batch}")

    async def _until(self, at: float) -> None:
        await asyncio.sleep(max(0.0, at - self.seconds()))


def live(seed: int) -> Verdict:
    """Live through a seed's day in a folder of its own."""
    with _folder() as folder:
        try:
            return World(seed, folder).run()
        except Exception as error:
            error.add_note(replay(seed))
            raise


@contextmanager
def _folder() -> Iterator[Path]:
    memory = Path("/dev/shm")  # noqa: S108 (a disk would only be slower: nothing is cut off here)
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@cache
def _migrated() -> Path:
    """Migrate one file, for all days to begin with a copy of."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder)
    file = Path(folder) / "monitor.db"

    async def run() -> None:
        database = Database(f"sqlite:///{file}")
        await migrate(database)
        await database.close()

    asyncio.run(run())
    return file
