"""Wiring: the only place that knows config, engine, providers, sinks and storage."""

from datetime import datetime, timedelta

from monitor.config.concurrency import polls_at_once
from monitor.config.schema import Config
from monitor.core.conditions import Limits
from monitor.core.pacing import Pace
from monitor.core.source import Source
from monitor.engine.clock import Clock
from monitor.engine.engine import Engine
from monitor.engine.parts import Parts
from monitor.engine.receiver import ReceiverAtWork
from monitor.engine.source import SourceAtWork
from monitor.providers import build as build_provider
from monitor.setting_types import OFF, Patience
from monitor.sinks import build as build_sink
from monitor.storage.batches.register import Registration, declare_batches
from monitor.storage.database import Database
from monitor.storage.receivers import ReceiverRow, register_receivers
from monitor.storage.sources import SourceRow, register_sources


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
            hours=settings.hours.schedule if settings.hours else None,
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
    settings, polling = config.sources[row.name], config.polling
    connections = polls_at_once(config)
    # what a file holds may have changed behind the same settings
    in_files = settings.ca_file or any(secret.file for secret in settings.held_secrets())
    return SourceAtWork(
        about=Source(
            row=row.row,
            name=row.name,
            provider=settings.provider,
            key=row.key,
            labels=settings.labels,
        ),
        provider=build_provider(settings, deadline=polling.deadline, connections=connections),
        pace=pace_of(config, row.name),
        rate=settings.rate_limit,
        connection_settings=None if in_files else (settings, polling.deadline, connections),
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
        connection_settings=None if settings.ca_file else settings,
        hold=row.hold,
    )


async def prepare_parts(config: Config, database: Database, *, now: datetime) -> Parts:
    """Register what the file says, and build what the engine is to work with.

    The batches come last: raises ConfigError, before, for a CA file that cannot be used.
    """
    sources, receivers = await register(config, database)
    parts = Parts(
        sources=[build_source(config, row) for row in sources.values()],
        receivers=[build_receiver(config, row) for row in receivers.values()],
        routes=config.routes,
        concurrency=polls_at_once(config),
        deadline=config.polling.deadline,
        retention=config.monitor.retention,
    )
    await declare(config, database, now=now)
    return parts


async def build_engine(config: Config, database: Database, clock: Clock) -> Engine:
    """Build the engine that the file asks for; nothing runs yet."""
    parts = await prepare_parts(config, database, now=clock.now())
    return Engine(database, parts, clock=clock, owner=config.monitor.instance)
