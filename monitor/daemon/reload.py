"""Reload: the config file read again and taken over as a whole, or refused with the reason."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog

from monitor.app import prepare_parts
from monitor.config.load import load
from monitor.config.schema import Config, database_url
from monitor.config.unreadable import require_secrets
from monitor.config.warnings import warnings_at_work
from monitor.core.errors import ConfigError, MonitorError
from monitor.daemon.heartbeat import Heartbeat
from monitor.daemon.systemd import Systemd
from monitor.engine.engine import Engine
from monitor.engine.loop import Bell
from monitor.logs import set_up_logs
from monitor.storage.database import Database

MOST_REASONS: Final = 50
"""In one line of the log: a file may have as many mistakes as lines."""

log = structlog.stdlib.get_logger()


@dataclass(kw_only=True, eq=False)
class Reload:
    """Own the config in force; the bell asks for its file to be read again."""

    config: Config
    database: Database
    engine: Engine
    bell: Bell
    heartbeat: Heartbeat
    status_bell: Bell
    systemd: Systemd
    refused: bool = field(default=False, init=False)
    """The file that was asked for last is not the one in force."""
    _providers: dict[str, str] = field(default_factory=dict, init=False)
    """Of all sources that were there since the start: their batches are of them."""

    def __post_init__(self) -> None:
        self._note_success()

    async def run(self) -> None:
        """Reload whenever the bell rings, for ever."""
        while True:
            await self.bell.wait()
            await self.reload()

    async def reload(self) -> None:
        """Read the file and take it over; whatever is wrong with it, the old config stays."""
        self.systemd.reloading()
        try:
            await self._take_over(self._read())
        except MonitorError as error:
            self._refuse(str(error).splitlines())
        except Exception as error:
            self._refuse([type(error).__name__])
            raise
        finally:
            self.systemd.ready()
            self.status_bell.ring()

    def _refuse(self, reasons: list[str]) -> None:
        self.refused = True
        self.engine.metrics.reload_successful.set(0)
        more = [f"and {len(reasons) - MOST_REASONS} more: `monitor check-config` lists them"]
        shown = reasons[:MOST_REASONS] + (more if len(reasons) > MOST_REASONS else [])
        log.error("config.reload_refused", reasons=shown)

    def _read(self) -> Config:
        """Return the file's config; raises MonitorError for one that needs a restart, or more."""
        config = load(self.config.path)
        if refused := list(_beyond_reload(self.config, config, self._providers)):
            raise ConfigError([f"{config.path}: {text}: restart to take it" for text in refused])
        require_secrets(config)
        return config

    async def _take_over(self, config: Config) -> None:
        """Build everything that may fail, then change the running parts without a pause."""
        now = self.engine.clock.now()
        await self.engine.change(await prepare_parts(config, self.database, now=now))
        self.heartbeat.change(config.monitor.heartbeat_url)
        set_up_logs(
            level=config.monitor.log_level,
            log_format=config.monitor.log_format,
            instance=config.monitor.instance,
        )
        changed, self.config = config != self.config, config
        self._note_success()
        log.info(
            "config.reloaded",
            changed=changed,
            sources=len(config.sources),
            receivers=len(config.receivers),
            routes=len(config.routes),
            batches=len(config.batches),
        )
        for warning in warnings_at_work(config):
            log.warning("config.doubtful", reason=warning)

    def _note_success(self) -> None:
        self.refused = False
        sources = self.config.sources.items()
        self._providers |= {name: source.provider for name, source in sources}
        metrics = self.engine.metrics
        metrics.reload_successful.set(1)
        metrics.reload_success_time.set(self.engine.clock.now().timestamp())


def _beyond_reload(old: Config, new: Config, providers: Mapping[str, str]) -> Iterator[str]:
    """Name what only a restart can change."""
    if database_url(old) != database_url(new):
        yield "[database] differs from the database in use"
    if old.server != new.server:
        yield f'[server] listen differs from "{old.server.listen}", which is in use'
    for name, settings in new.sources.items():
        if providers.get(name, settings.provider) != settings.provider:
            yield f"sources.{name}: provider differs from {providers[name]!r}, its batches' one"
