"""Wiring: the only place that knows everybody."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from monitor.config.open_files import polls_at_once
from monitor.config.schema import Config, database_url
from monitor.core.conditions import Limits
from monitor.core.pacing import Pace
from monitor.core.source import Source
from monitor.engine.beat import Beat
from monitor.engine.clock import Clock
from monitor.engine.departures import Departures
from monitor.engine.discovery import Discovery
from monitor.engine.housekeeping import Housekeeping
from monitor.engine.metrics import Metrics
from monitor.engine.outage import Outage
from monitor.engine.poll_log import PollLog
from monitor.engine.poller import Poller
from monitor.engine.receiver import ReceiverAtWork
from monitor.engine.relay import Relay
from monitor.engine.settler import Settler
from monitor.engine.source import SourceAtWork
from monitor.engine.writer import Writer
from monitor.providers import build as build_provider
from monitor.settings import OFF, Patience
from monitor.sinks import build as build_sink
from monitor.storage.batches.register import Registration, declare_batches
from monitor.storage.database import Database
from monitor.storage.receivers import ReceiverRow, register_receivers
from monitor.storage.sources import SourceRow, register_sources


class Loop(Protocol):
    """Turn until closed; tell when it last did, and what the database refuses it."""

    beat: Beat
    outage: Outage

    async def run(self) -> None:
        """Turn until closed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """Hold the parts of a running daemon."""

    clock: Clock
    metrics: Metrics
    poller: Poller
    discovery: Discovery
    writer: Writer
    relay: Relay
    settler: Settler
    housekeeping: Housekeeping

    @property
    def sources(self) -> list[SourceAtWork]:
        """Return the sources at work, those that the config has now."""
        return sorted(self.poller.sources, key=lambda source: source.row)

    @property
    def receivers(self) -> list[ReceiverAtWork]:
        """Return the receivers at work, those that the config has now."""
        return self.relay.receivers

    @property
    def loops(self) -> dict[str, Loop]:
        """Return the loops by name."""
        return {
            "poller": self.poller,
            "discovery": self.discovery,
            "writer": self.writer,
            "relay": self.relay,
            "settler": self.settler,
            "housekeeping": self.housekeeping,
        }


def open_database(config: Config) -> Database:
    """Return the configured database; nothing connects yet. Raises ConfigError."""
    return Database(database_url(config))


def pace_of(config: Config, source: str) -> Pace:
    """Return how a source's batches are paced."""
    polling, settings = config.polling, config.sources[source]
    return Pace(
        interval=settings.interval or polling.interval,
        idle_interval=polling.idle_interval,
        settled_interval=polling.settled_interval,
        forget_after=polling.forget_after,
        limits=Limits(
            stall_after=_limit(settings.stall_after, polling.stall_after),
            overdue_after=_limit(settings.overdue_after, polling.overdue_after),
            settle_after=settings.settle_after or polling.settle_after,
        ),
    )


def _limit(own: Patience | None, common: Patience) -> timedelta | None:
    limit = own or common
    return None if limit == OFF else limit


async def register(
    config: Config, database: Database
) -> tuple[dict[str, SourceRow], dict[str, ReceiverRow]]:
    """Make sure that the database knows the sources and receivers of the file."""
    providers = {name: settings.provider for name, settings in config.sources.items()}
    sources = await register_sources(database, providers)
    receivers = await register_receivers(database, config.receivers)
    return sources, receivers


async def declare(config: Config, database: Database, *, now: datetime) -> None:
    """Watch the batches that the file declares, and no longer those that left it."""
    declared = [
        Registration(source=batch.source, id=batch.id, name=batch.name, labels=batch.labels)
        for batch in config.batches
    ]
    await declare_batches(database, declared, now=now)


def build_source(config: Config, row: SourceRow) -> SourceAtWork:
    """Build one source at work. Raises ConfigError for a CA file that cannot be used."""
    settings = config.sources[row.name]
    return SourceAtWork(
        about=Source(
            row=row.row,
            name=row.name,
            provider=settings.provider,
            key=row.key,
            labels=settings.labels,
        ),
        provider=build_provider(
            settings,
            deadline=config.polling.deadline,
            connections=polls_at_once(config),
        ),
        pace=pace_of(config, row.name),
        rate=settings.rate_limit,
        health=row.health,
        version=row.version,
        blocked_until=row.blocked_until,
    )


def build_receiver(config: Config, row: ReceiverRow) -> ReceiverAtWork:
    """Build one receiver at work. Raises ConfigError for a CA file that cannot be used."""
    settings = config.receivers[row.name]
    return ReceiverAtWork(
        name=row.name,
        kind=settings.kind,
        sink=build_sink(row.name, settings),
        schedule=settings.schedule,
        slots=settings.slots,
        spacing=settings.spacing,
        timeout=settings.timeout,
        hold=row.hold,
    )


async def build_engine(config: Config, database: Database, clock: Clock) -> Engine:
    """Register what the file says, and build all loops; nothing runs yet."""
    source_rows, receiver_rows = await register(config, database)
    await declare(config, database, now=clock.now())
    owner = config.monitor.instance
    metrics = Metrics(owner)
    sources = [build_source(config, row) for row in source_rows.values()]
    receivers = [build_receiver(config, row) for row in receiver_rows.values()]
    settler = Settler(database, clock=clock)
    relay = Relay(database, receivers, settler=settler, clock=clock, metrics=metrics, owner=owner)
    settler.on_settled = relay.go_on
    writer = Writer(
        database,
        clock=clock,
        routes=config.routes,
        promise=relay.promise,
        poll_log=PollLog(),
        metrics=metrics,
        hand_over=relay.take,
    )
    poller = Poller(
        database,
        sources,
        writer=writer,
        clock=clock,
        metrics=metrics,
        owner=owner,
        concurrency=polls_at_once(config),
        deadline=config.polling.deadline,
    )
    writer.on_scheduled = poller.expect
    return Engine(
        clock=clock,
        metrics=metrics,
        poller=poller,
        discovery=Discovery(
            database,
            sources,
            writer=writer,
            clock=clock,
            metrics=metrics,
            on_found=poller.expect,
        ),
        writer=writer,
        relay=relay,
        settler=settler,
        housekeeping=Housekeeping(
            database,
            receivers,
            clock=clock,
            metrics=metrics,
            owner=owner,
            retention=config.monitor.retention,
            departures=Departures(
                database,
                metrics=metrics,
                owner=owner,
                sources=config.sources,
                receivers=config.receivers,
                routes=config.routes,
            ),
        ),
    )
