"""A daemon that runs in this process, with its clock and its loops at hand."""

from collections.abc import AsyncIterator, Iterable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from monitor.app import build_engine
from monitor.config.load import load
from monitor.daemon.process import build_daemon
from monitor.daemon.systemd import Systemd
from monitor.engine.engine import Engine
from monitor.engine.loop import Bell
from monitor.storage.database import Database
from tests.consumer import Consumer
from tests.engine.rig import JumpingClock
from tests.faults.settings import config

Log = list[MutableMapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """Hold a daemon that runs here, on SQLite."""

    engine: Engine
    clock: JumpingClock
    listen: str

    async def ready(self) -> tuple[int, str]:
        """Ask `/-/ready`, as an operator does."""
        async with aiohttp.request("GET", f"http://{self.listen}/-/ready") as answer:
            return answer.status, await answer.text()

    @property
    def polling(self) -> int:
        """Count the polls under way."""
        return sum(source.in_flight for source in self.engine.sources)


@asynccontextmanager
async def run_inside(
    file: Path,
    *,
    provider_url: str,
    receivers: Mapping[str, Consumer],
    ids: Iterable[str],
    log: Log,
) -> AsyncIterator[Inside]:
    """Run the daemon on a SQLite file; all events go to each of the receivers.

    `log` is where this process collects what is logged.
    """
    urls = {name: consumer.url for name, consumer in receivers.items()}
    path = file.with_suffix(".toml")
    own = f'[server]\nlisten = "127.0.0.1:0"\n[database]\nurl = "sqlite:///{file}"\n'
    polling = 'interval = "50ms"\nidle_interval = "50ms"\nsettled_interval = "50ms"\n'
    path.write_text(own + config(provider_url, urls, ids, polling=polling), encoding="utf-8")
    settings = load(path)
    database, clock, bell = Database(f"sqlite:///{file}"), JumpingClock(), Bell()
    engine = await build_engine(settings, database, clock)
    daemon = build_daemon(settings, database, engine, systemd=Systemd({}), reload_bell=bell)
    await daemon.start()
    (listen,) = [line["listen"] for line in log if line.get("database") == str(file)]
    try:
        yield Inside(engine=engine, clock=clock, listen=listen)
    finally:
        await daemon.stop()
        await database.close()
