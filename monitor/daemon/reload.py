"""Reload: the config file read anew and taken over as a whole, or refused with the reason."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

import structlog

from monitor.app import Engine, build_receiver, build_source, declare, register
from monitor.config.load import load
from monitor.config.open_files import polls_at_once
from monitor.config.schema import Config, database_url
from monitor.config.warnings import require_secrets, warnings_at_work
from monitor.core.errors import ConfigError, MonitorError
from monitor.daemon.heartbeat import Heartbeat
from monitor.daemon.systemd import Systemd
from monitor.engine.bell import Bell
from monitor.engine.receiver import ReceiverAtWork
from monitor.engine.source import SourceAtWork
from monitor.logs import set_up_logs
from monitor.storage.batches.claim import hasten_batches
from monitor.storage.database import Database

MOST_REASONS: Final = 50
"""In one line of the log: a file may have as many mistakes as lines."""

log = structlog.stdlib.get_logger()


class Closable(Protocol):
    """Hold connections: a provider or a sink."""

    async def close(self) -> None:
        """Close all connections."""
        ...


@dataclass(frozen=True, slots=True)
class _Change:
    """Hold the parts that the new config asks for: each as built, beside what it replaces."""

    sources: list[tuple[SourceAtWork | None, SourceAtWork]] = field(default_factory=list)
    receivers: list[tuple[ReceiverAtWork | None, ReceiverAtWork]] = field(default_factory=list)


class Reload:
    """Own the config in force; the bell asks for its file to be read anew."""

    def __init__(
        self,
        config: Config,
        database: Database,
        engine: Engine,
        *,
        bell: Bell,
        heartbeat: Heartbeat,
        status_bell: Bell,
        systemd: Systemd,
    ) -> None:
        self.config = config
        self.refused = False
        """The file that was asked for last is not the one in force."""
        self._database = database
        self._engine = engine
        self._bell = bell
        self._heartbeat = heartbeat
        self._status_bell = status_bell
        self._providers = {name: source.provider for name, source in config.sources.items()}
        """Of all sources that were there since the start: their batches are of them."""
        self._systemd = systemd
        self._leaving: set[asyncio.Task[None]] = set()
        self._note_success()

    async def run(self) -> None:
        """Reload whenever the bell rings, for ever."""
        while True:
            await self._bell.wait()
            await self.reload()

    async def reload(self) -> None:
        """Read the file and take it over; whatever is wrong with it, the old config stays."""
        self._systemd.reloading()
        try:
            await self._take_over(self._read())
        except MonitorError as error:
            self._refuse(str(error).splitlines())
        except Exception as error:
            self._refuse([type(error).__name__])
            raise
        finally:
            self._systemd.ready()
            self._status_bell.ring()

    def _refuse(self, reasons: list[str]) -> None:
        self.refused = True
        self._engine.metrics.reload_successful.set(0)
        more = [f"and {len(reasons) - MOST_REASONS} more: `monitor check-config` lists them"]
        shown = reasons[:MOST_REASONS] + (more if len(reasons) > MOST_REASONS else [])
        log.error("config.reload_refused", reasons=shown)

    async def close(self) -> None:
        """Close what was replaced and is still in use."""
        for leaving in self._leaving:
            leaving.cancel()
        await asyncio.gather(*self._leaving, return_exceptions=True)

    def _read(self) -> Config:
        """Return the file's config; raises MonitorError for one that needs a restart, or more."""
        config = load(self.config.path)
        if refused := list(_beyond_reload(self.config, config, self._providers)):
            raise ConfigError([f"{config.path}: {text}: restart to take it" for text in refused])
        require_secrets(config)
        return config

    async def _take_over(self, config: Config) -> None:
        """Build everything that may fail, then change the running parts without a pause."""
        sources, receivers = await register(config, self._database)
        at_work = {source.name: source for source in self._engine.sources}
        served = {receiver.name: receiver for receiver in self._engine.receivers}
        change = _Change(
            [(at_work.get(name), build_source(config, row)) for name, row in sources.items()],
            [(served.get(name), build_receiver(config, row)) for name, row in receivers.items()],
        )
        await declare(config, self._database, now=self._engine.clock.now())
        await self._hasten(change)
        changed = config != self.config
        self._apply(config, change)
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

    async def _hasten(self, change: _Change) -> None:
        """Bring polls forward that were planned by longer intervals than the new ones."""
        now = self._engine.clock.now()
        for before, built in change.sources:
            if before is not None and built.pace.is_shorter_than(before.pace):
                by = now + built.pace.interval
                await hasten_batches(self._database, built.name, by=by)

    def _apply(self, config: Config, change: _Change) -> None:
        engine = self._engine
        replaced = [*self._change_sources(config, change), *self._change_receivers(config, change)]
        polling = config.polling
        under_way = engine.poller.change(
            [before or built for before, built in change.sources],
            concurrency=polls_at_once(config),
            deadline=polling.deadline,
        )
        under_way |= engine.discovery.change(engine.sources)
        under_way |= engine.relay.change([before or built for before, built in change.receivers])
        engine.writer.routes = config.routes
        engine.housekeeping.receivers = engine.receivers
        engine.housekeeping.departures.change(
            sources=config.sources, receivers=config.receivers, routes=config.routes
        )
        engine.housekeeping.retention = config.monitor.retention
        if config.monitor.heartbeat_url != self._heartbeat.url:
            self._heartbeat.url = config.monitor.heartbeat_url
            self._heartbeat.bell.ring()  # a new one need not wait for its minute
        set_up_logs(
            level=config.monitor.log_level,
            log_format=config.monitor.log_format,
            instance=config.monitor.instance,
        )
        engine.housekeeping.bell.ring()  # who left is told of now, not in a minute
        self.config = config
        self._providers |= {name: source.provider for name, source in config.sources.items()}
        if replaced:
            leaving = asyncio.create_task(_leave(under_way, replaced))
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)

    def _change_sources(self, config: Config, change: _Change) -> Iterator[Closable]:
        """Move the accounts at work to their new settings; yield the providers that go."""
        kept = {before.name for before, _ in change.sources if before is not None}
        for source in self._engine.sources:
            if source.name not in kept:
                yield source.provider
        for before, built in change.sources:
            if before is not None:
                if self._same_requests(before.name, config):
                    built.provider = before.provider
                provider = before.become(built)
                if provider is not built.provider:
                    yield provider

    def _change_receivers(self, config: Config, change: _Change) -> Iterator[Closable]:
        """Move the receivers at work to their new settings; yield the sinks that go."""
        kept = {before.name for before, _ in change.receivers if before is not None}
        for receiver in self._engine.receivers:
            if receiver.name not in kept:
                yield receiver.sink
        for before, built in change.receivers:
            if before is not None:
                settings = config.receivers[before.name]
                if self.config.receivers[before.name] == settings and settings.ca_file is None:
                    built.sink = before.sink
                elif before.hold is not None:  # whoever mended it wants to see that it works
                    before.hold = replace(before.hold, until=self._engine.clock.now())
                sink = before.become(built)
                if sink is not built.sink:
                    yield sink

    def _same_requests(self, source: str, config: Config) -> bool:
        """Tell whether a source is read as before: then its warm connections are kept.

        What a file holds may have changed behind the same settings.
        """
        old, new = self.config, config
        settings = new.sources[source]
        return (
            old.sources[source] == settings
            and all(secret.file is None for secret in settings.held_secrets())
            and settings.ca_file is None
            and old.polling.deadline == new.polling.deadline
            and old.polling.concurrency == new.polling.concurrency
        )

    def _note_success(self) -> None:
        self.refused = False
        metrics = self._engine.metrics
        metrics.reload_successful.set(1)
        metrics.reload_success_time.set(self._engine.clock.now().timestamp())


def _beyond_reload(old: Config, new: Config, providers: Mapping[str, str]) -> Iterator[str]:
    """Name what only a restart can change."""
    if database_url(old) != database_url(new):
        yield "[database] differs from the database in use"
    if old.server != new.server:
        yield f'[server] listen differs from "{old.server.listen}", which is in use'
    for name, settings in new.sources.items():
        if providers.get(name, settings.provider) != settings.provider:
            yield f"sources.{name}: provider differs from {providers[name]!r}, its batches' one"


async def _leave(under_way: set[asyncio.Task[None]], replaced: list[Closable]) -> None:
    """Close what was replaced once the requests that use it are over: each has a deadline."""
    try:
        if under_way:
            await asyncio.wait(under_way)
    finally:
        for part in replaced:
            await part.close()
