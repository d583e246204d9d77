"""The whole daemon under a virtual clock, which stands still while anything is under way."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, create_engine, text

from monitor.simulator.bolna import SimulatedBolna
from monitor.simulator.vogent import SimulatedVogent
from tests.days.part import MIDNIGHT
from tests.engine.rig import KEY, JumpingClock, Rig, RoundBell
from tests.patient import HANG

NEVER = MIDNIGHT + timedelta(days=99)
CHORES = timedelta(minutes=15)
"""How often housekeeping works; a minute would only be slower."""
BREATH = 0.001
"""Seconds between two looks at whether all is done."""

Act = Callable[[], Awaitable[None]]


class StillClock(JumpingClock):
    """A clock that only moves when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self._now = MIDNIGHT

    def now(self) -> datetime:
        return self._now

    def seconds(self) -> float:
        """Return the time as simulated providers count it."""
        return self._now.timestamp()

    def go_to(self, at: datetime) -> None:
        self._now = max(at, self._now)


@dataclass(slots=True)
class DayRig(Rig):
    """Run the daemon from one moment at which something is due to the next."""

    grain: timedelta = timedelta(seconds=5)
    """What is due within it happens together, at its end."""
    polling: str = ""
    rate: str = ""
    clock: StillClock = field(default_factory=StillClock)
    chores_at: datetime = MIDNIGHT
    steps: int = 0
    _look: Connection = field(init=False)
    _acts: list[tuple[datetime, Act]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bolna = SimulatedBolna(key=KEY, clock=self.clock.seconds)
        self.vogent = SimulatedVogent(key=KEY, clock=self.clock.seconds)
        url = self.url.replace("postgresql:", "postgresql+psycopg:")
        self._look = create_engine(url, isolation_level="AUTOCOMMIT").connect()

    async def __aexit__(self, *about: object) -> None:
        self._look.close()
        self._look.engine.dispose()
        await super(DayRig, self).__aexit__(*about)

    @property
    def rounds(self) -> RoundBell:
        """Return the bell of the poller."""
        assert isinstance(self.engine.poller.loop.bell, RoundBell)
        return self.engine.poller.loop.bell

    @property
    def key_file(self) -> Path:
        """Return where the operator keeps the key of the Vogent account."""
        return self.folder / "vogent.key"

    def write(self) -> Path:
        path = super(DayRig, self).write()
        if not self.key_file.exists():
            self.key_file.write_text(KEY, encoding="utf-8")
        bolna, vogent = path.read_text(encoding="utf-8").split("[sources.vogent]")
        key = f'counts = "off"\napi_key_file = "{self.key_file}"'
        vogent = vogent.replace(f'api_key = "{KEY}"', key)
        both = f"{bolna}[sources.vogent]{vogent}".replace('rate_limit = ""\n', "")
        path.write_text(both, encoding="utf-8")
        return path

    async def begin(self) -> None:
        """Run the loops."""
        await self.build()
        self.built = False
        await self.daemon.start()
        self.running = True

    async def restart(self) -> None:
        """Stop the daemon and start it anew a minute later."""
        await self.stop()
        self.clock.go_to(self.clock.now() + timedelta(minutes=1))
        await self.begin()

    def plan(self, at: datetime, act: Act) -> None:
        """Do something at a moment of the day."""
        self._acts.append((at, act))
        self._acts.sort(key=lambda planned: planned[0])

    async def run_until(self, end: datetime) -> None:
        """Let the clock go from one due moment to the next."""
        while self.clock.now() < end:
            async with asyncio.timeout(HANG):
                due_at = await self._rest()
            at = min(due_at + self.grain, end)
            if self._acts and self._acts[0][0] <= at:
                at, act = self._acts.pop(0)
                self.clock.go_to(at)
                await act()
            else:
                self.clock.go_to(at)
            self.steps += 1
        await self._rest()

    async def _rest(self) -> datetime:
        """Return once nothing is due or under way: when the next poll or delivery is due.

        Polls for which the budget is spent stay due.
        """
        self._do_chores()
        await self.rounds.round()
        spent = False
        while True:
            await self._answered()
            leased, poll_at, send_at = self._due()
            if poll_at <= self.clock.now() and not spent:
                await self.rounds.round()
                spent = not self.is_polling()
            elif not leased and send_at > self.clock.now():
                return min(poll_at, send_at)
            elif send_at <= self.clock.now():
                self.engine.relay.loop.bell.ring()
            await asyncio.sleep(BREATH)

    async def _answered(self) -> None:
        """Return once all polls and deliveries are answered, and what was read is committed."""
        engine, woken = self.engine, False
        while self.is_polling() or any(receiver.in_flight for receiver in engine.receivers):
            reading = any(source.in_flight for source in engine.sources)
            if engine.writer.queued and not reading and not woken:
                engine.writer.loop.hurry()
                woken = True
            await asyncio.sleep(BREATH)

    def _do_chores(self) -> None:
        if self.clock.now() >= self.chores_at:
            self.chores_at += CHORES
            self.engine.housekeeping.loop.bell.ring()

    def _due(self) -> tuple[int, datetime, datetime]:
        """Return how much is claimed, and when the next poll and the next delivery are due."""
        rows = self._look.execute(_DUE).all()
        polls = [max(row.poll_at, row.blocked_until or 0) for row in rows if row.poll_at]
        sends = [row.send_at for row in rows if row.send_at]
        return rows[0].polling + rows[0].sending, _first(polls), _first(sends)


def _first(stamps: list[int]) -> datetime:
    return datetime.fromtimestamp(min(stamps) / 1000, UTC) if stamps else NEVER


_DUE = text(
    "SELECT name, blocked_until,"
    " (SELECT min(next_poll_at) FROM batches WHERE source = sources.name) AS poll_at,"
    " (SELECT count(lease_owner) FROM batches) AS polling,"
    " (SELECT count(lease_owner) FROM deliveries"
    " WHERE state = 'pending' AND due_at IS NOT NULL) AS sending,"
    " (SELECT min(due_at) FROM deliveries"
    " WHERE state = 'pending' AND due_at IS NOT NULL) AS send_at"
    " FROM sources"
)
