"""The whole engine in one process: simulated providers, a database, real consumers of webhooks."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from sqlalchemy import text

from monitor.app import build_engine
from monitor.config.load import load
from monitor.core.batch import Origin
from monitor.daemon.daemon import Daemon
from monitor.daemon.process import build_daemon
from monitor.daemon.reload import Reload
from monitor.daemon.systemd import Systemd
from monitor.engine.clock import Clock
from monitor.engine.engine import Engine
from monitor.engine.loop import Bell
from monitor.simulator.bolna import SimulatedBolna, bolna_document
from monitor.simulator.server import SimulatedApi
from monitor.simulator.vogent import SimulatedVogent
from monitor.storage.batches.register import Registration, register_batches
from monitor.storage.database import Database, fetch
from tests.consumer import SECRET, Consumer

KEY = "the key"
Wait = Callable[..., Awaitable[None]]


class JumpingClock(Clock):
    """A clock that runs until a test holds it, and that a test puts forward."""

    def __init__(self) -> None:
        super().__init__(datetime.now(UTC))
        self._ahead = timedelta()
        self._held: datetime | None = None

    def now(self) -> datetime:
        return (self._held or super().now()) + self._ahead

    def hold(self) -> None:
        """Stand still from now on, but for what it is put forward."""
        self._held = self._held or super().now()

    def follow(self, reference: datetime, *, trusted: bool) -> timedelta:
        return timedelta()

    def advance(self, **time: float) -> None:
        self._ahead += timedelta(**time)


class RoundBell(Bell):
    """A bell by which one can tell that a loop has come round."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting = asyncio.Event()

    @property
    def rings(self) -> bool:
        """Tell whether it rings, and nobody has come yet."""
        return self._rung.is_set()

    async def wait(self, seconds: float | None = None) -> None:
        self._waiting.set()
        await super().wait(seconds)
        self._waiting.clear()

    async def round(self) -> None:
        """Ring, and return when the loop has done what it was rung for."""
        await self._waiting.wait()
        self._waiting.clear()
        self.ring()
        await self._waiting.wait()


@dataclass(slots=True)
class Rig:
    """Build the daemon from a config file as the program does, and run it here."""

    folder: Path
    url: str
    bolna: SimulatedBolna = field(default_factory=lambda: SimulatedBolna(key=KEY))
    vogent: SimulatedVogent = field(default_factory=lambda: SimulatedVogent(key=KEY))
    clock: JumpingClock = field(default_factory=JumpingClock)
    consumers: dict[str, Consumer] = field(default_factory=lambda: {"crm": Consumer()})
    database: Database = field(init=False)
    engine: Engine = field(init=False)
    daemon: Daemon = field(init=False)
    monitor: str = ""
    polling: str = (
        'interval = "50ms"\nidle_interval = "50ms"\ndeadline = "60s"\nsettled_interval = "1h"'
    )
    rate: str = "100000/s"
    bolna_more: str = ""
    vogent_more: str = ""
    receiver_more: str = 'timeout = "60s"'
    tail: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    """What systemd would set."""
    reload_bell: Bell = field(default_factory=Bell)
    running: bool = False
    built: bool = False
    ringer: asyncio.Task[None] | None = None
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def __aenter__(self) -> Self:
        for api in (self.bolna, self.vogent):
            await self._stack.enter_async_context(api)
        for consumer in self.consumers.values():
            await consumer.start()
            self._stack.push_async_callback(consumer.stop)
        return self

    async def __aexit__(self, *_: object) -> None:
        for consumer in self.consumers.values():
            consumer.release()
        if self.running:
            await self.stop()
        await self._stack.aclose()

    @property
    def crm(self) -> Consumer:
        return self.consumers["crm"]

    def write(self) -> Path:
        """Write the config file."""
        parts = [
            f'[monitor]\nlog_format = "json"\n{self.monitor}',
            f"[database]\nurl = {json.dumps(self.url)}",
            '[server]\nlisten = "127.0.0.1:0"',
            f"[polling]\n{self.polling}",
            *(
                f'[sources.{name}]\nprovider = "{name}"\napi_key = "{KEY}"\n'
                f'base_url = "{api.base_url}"\nallow_http = true\nallow_private = true\n'
                f'rate_limit = "{self.rate}"\n{more}\n'
                for name, api, more in (
                    ("bolna", self.bolna, self.bolna_more),
                    ("vogent", self.vogent, self.vogent_more),
                )
            ),
            *(
                f'[receivers.{name}]\nkind = "webhook"\nurl = "{consumer.url}/{name}"\n'
                f'secret = "{SECRET}"\nallow_http = true\nallow_private = true\n'
                f"{self.receiver_more}"
                for name, consumer in self.consumers.items()
            ),
            *(f'[[routes]]\nreceiver = "{name}"' for name in self.consumers),
            self.tail,
        ]
        path = self.folder / "config.toml"
        path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
        return path

    async def build(self) -> None:
        """Build all parts; nothing runs yet."""
        config = load(self.write())
        self.database = Database(self.url)
        self.engine = await build_engine(config, self.database, self.clock)
        engine = self.engine
        for part in (engine.poller, engine.relay, engine.discovery, engine.housekeeping):
            part.loop.bell = RoundBell()
        self.daemon = build_daemon(
            config,
            self.database,
            self.engine,
            systemd=Systemd(self.environment),
            reload_bell=self.reload_bell,
        )
        self.built = True

    @property
    def reload(self) -> Reload:
        """Return what reads the config file anew."""
        watcher = self.daemon.watchers["reload"]
        assert isinstance(watcher, Reload)
        return watcher

    async def start(self) -> None:
        """Run the loops; build all parts first, if that was not done."""
        if not self.built:
            await self.build()
        self.built = False
        await self.daemon.start()
        self.running = True
        self.ringer = asyncio.create_task(self._ring())

    async def _ring(self) -> None:
        """Ring the bells more often than once a second: tests wait for many polls."""
        while True:
            await asyncio.sleep(0.02)
            self.engine.poller.loop.bell.ring()
            self.engine.relay.loop.bell.ring()
            self.engine.discovery.loop.bell.ring()

    def silence(self) -> None:
        """Ring no more: the loops come round as in a program."""
        assert self.ringer is not None
        self.ringer.cancel()

    async def round(self) -> None:
        """Return once all that is due has been begun: each loop has looked twice by then.

        The relay looks but once a turn for whom something is due, if it rang by itself.
        """
        for part in (self.engine.poller, self.engine.relay, self.engine.discovery):
            assert isinstance(part.loop.bell, RoundBell)
            await part.loop.bell.round()
            await part.loop.bell.round()

    async def chores(self) -> None:
        """Return once housekeeping has come round."""
        assert isinstance(self.engine.housekeeping.loop.bell, RoundBell)
        await self.engine.housekeeping.loop.bell.round()

    async def stop(self) -> None:
        """Stop as on SIGTERM."""
        self.running = False
        if self.ringer is not None:
            self.ringer.cancel()
        await self.daemon.stop()
        await self.database.close()

    async def add(self, *ids: str, source: str = "bolna", **about: Any) -> None:
        """Register batches, as `monitor add` does."""
        wanted = [Registration(source=source, id=id_, **about) for id_ in ids]
        await register_batches(
            self.database, wanted, origin=Origin.ADDED, now=self.clock.now() - timedelta(seconds=1)
        )

    def show(self, *ids: str, api: SimulatedApi | None = None, **fields: Any) -> None:
        """Let batches show a document of a running batch, or with other fields."""
        given = {"status": "running", "execution_status": {"ringing": 7}} | fields
        for id_ in ids:
            (api or self.bolna).put(id_, bolna_document(id_, **given))

    async def rows(self, statement: str) -> list[Any]:
        return list(await fetch(self.database, text(statement), {}))

    async def run(self, statement: str) -> None:
        """Write."""
        await self.database.write(lambda connection: connection.execute(text(statement)))

    async def value(self, statement: str) -> Any:
        ((value,),) = await self.rows(statement)
        return value

    async def advance(self, until: Wait, *, polls_too: bool = False, **time: float) -> None:
        """Put the clock forward, but not over the lease of a delivery, or poll, under way."""

        async def idle() -> bool:
            leased = "SELECT count(*) FROM deliveries WHERE lease_owner IS NOT NULL"
            return bool(await self.value(leased) == 0) and not (polls_too and self.is_polling())

        await until(idle)
        self.clock.advance(**time)

    def is_polling(self) -> bool:
        """Tell whether a poll is under way, or its result not committed yet."""
        in_flight = any(source.in_flight for source in self.engine.sources)
        return in_flight or self.engine.writer.queued > 0

    async def settled(self) -> bool:
        """Tell whether nothing is owed any more."""
        return bool(
            await self.value("SELECT count(*) FROM deliveries WHERE state = 'pending'") == 0
        )

    def polls(self, batch: str | None = None) -> int:
        """Count the polls that the simulated accounts answered."""
        return sum(
            served.batch == batch or batch is None
            for api in (self.bolna, self.vogent)
            for served in api.record.served
        )
