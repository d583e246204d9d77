"""The stage: all that a show needs, in a temporary folder and on loopback, set up and torn down."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from monitor.config.starter import fresh_webhook_secret
from monitor.consumer import Consumer
from monitor.core.errors import DemoError
from monitor.core.unreachable import UNREACHABLE_POLLS
from monitor.demo.arrivals import Arrivals
from monitor.demo.cast import BOLNA, LIVED, VOGENT, Role, cast
from monitor.demo.daemon import Daemon
from monitor.demo.reckoning import Reckoning
from monitor.simulator.bolna import SimulatedBolna
from monitor.simulator.faults import not_found
from monitor.simulator.server import SimulatedApi
from monitor.simulator.vogent import SimulatedVogent
from monitor.storage.database import Database

KEY: Final = "demo-key"
_POLLS_A_SHOW: Final = 240
_INTERVALS: Final = (0.1, 0.25)
"""The shortest and the longest, in seconds."""
_FAULT_BEGINS: Final = 0.2
"""Share of the time that the batches live."""
_FAULT_LASTS: Final = 0.25
"""Share of the same time."""


class Curtain:
    """The seconds of the show; lives that take `elapsed` for their clock wait for it."""

    def __init__(self) -> None:
        self._risen_at: float | None = None
        self._fallen_at: float | None = None

    def rise(self) -> None:
        """Begin."""
        self._risen_at = time.monotonic()

    def fall(self) -> None:
        """End: nobody lives on."""
        self._fallen_at = time.monotonic()

    def elapsed(self) -> float:
        """Return the seconds since it rose, until it fell."""
        if self._risen_at is None:
            return 0.0
        return (self._fallen_at or time.monotonic()) - self._risen_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything that plays a part."""

    config: Path
    seconds: float
    interval: float
    curtain: Curtain
    roles: Sequence[Role]
    apis: Mapping[str, SimulatedApi]
    consumer: Consumer
    arrivals: Arrivals
    reckoning: Reckoning
    daemon: Daemon
    database: Database

    def begin(self) -> None:
        """Let the lives go on from now; one batch will be lost for a while."""
        self.curtain.rise()
        loop = asyncio.get_running_loop()
        loop.call_later(self.seconds * LIVED * _FAULT_BEGINS, self._lose)

    def _lose(self) -> None:
        polls = round(self.seconds * LIVED * _FAULT_LASTS / self.interval)
        times = max(UNREACHABLE_POLLS + 1, polls)
        for role in self.roles:
            if role.faulted:
                self.apis[role.source].fault(not_found(), batch=role.id, times=times)


@asynccontextmanager
async def set_up(seconds: float) -> AsyncIterator[Stage]:
    """Set up a show that lasts `seconds`, the daemon just started; leave nothing behind.

    Raise DemoError when there is no folder or no port to be had.
    """
    curtain = Curtain()
    roles = cast(seconds=seconds, clock=curtain.elapsed)
    secret = fresh_webhook_secret()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(_temporary_folder()))
        reckoning, arrivals = Reckoning(roles), Arrivals()
        consumer = Consumer(secret, arrivals.note)
        apis = {BOLNA: SimulatedBolna(key=KEY), VOGENT: SimulatedVogent(key=KEY)}
        try:
            for api in apis.values():
                await stack.enter_async_context(api)
            await stack.enter_async_context(consumer)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise DemoError(f"the demo gets no port on 127.0.0.1: {reason}") from error
        for role in roles:
            apis[role.source].put(role.id, role.life)
        for api in apis.values():
            api.record.listen(reckoning.note)
        config = folder / "config.toml"
        stage = Stage(
            config=config,
            seconds=seconds,
            interval=min(max(seconds / _POLLS_A_SHOW, _INTERVALS[0]), _INTERVALS[1]),
            curtain=curtain,
            roles=roles,
            apis=apis,
            consumer=consumer,
            arrivals=arrivals,
            reckoning=reckoning,
            daemon=Daemon(config),
            database=Database(_url(folder / "monitor.db")),
        )
        _write_config(stage, secret)
        stack.push_async_callback(stage.database.close)
        stack.push_async_callback(stage.daemon.stop)
        await stage.daemon.start()
        yield stage


def _temporary_folder() -> TemporaryDirectory[str]:
    try:
        return TemporaryDirectory(prefix="monitor-demo-", ignore_cleanup_errors=True)
    except OSError as error:
        raise DemoError(
            f"the demo needs a temporary folder: {error.strerror}; $TMPDIR names another place"
        ) from error


def _url(file: Path) -> str:
    return "sqlite:///" + str(file).replace("%", "%25").replace("?", "%3F")


def _write_config(stage: Stage, secret: str) -> None:
    """Write what an operator would, for our eyes only."""
    parts = [_HEAD.format(interval=round(stage.interval * 1000))]
    for name, api in stage.apis.items():
        parts.append(_SOURCE.format(name=name, key=KEY, base_url=api.base_url))
    parts.append(_RECEIVER.format(url=stage.consumer.url, secret=secret))
    parts += [_BATCH.format(source=role.source, id=role.id, team=role.team) for role in stage.roles]
    try:
        stage.config.touch(0o600, exist_ok=False)
        stage.config.write_text("".join(parts))
    except OSError as error:
        raise DemoError(f"the demo cannot write {stage.config}: {error.strerror}") from error


_HEAD: Final = """\
[monitor]
log_format = "json"

[server]
listen = "127.0.0.1:0"

[polling]
interval = "{interval}ms"
idle_interval = "{interval}ms"
settled_interval = "{interval}ms"
"""
_SOURCE: Final = """
[sources.{name}]
provider = "{name}"
api_key = "{key}"
base_url = "{base_url}"
allow_http = true
allow_private = true
rate_limit = "100000/min"
"""
_RECEIVER: Final = """
[receivers.consumer]
kind = "webhook"
url = "{url}"
secret = "{secret}"
allow_http = true
allow_private = true

[[routes]]
receiver = "consumer"
"""
_BATCH: Final = """
[[batches]]
source = "{source}"
id = "{id}"
labels = {{ team = "{team}" }}
"""
