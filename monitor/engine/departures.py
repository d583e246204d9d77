"""Departures: what is still owed to receivers that left the config, and told of sources."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from monitor.core.errors import SourceMovedError
from monitor.core.event import EventType, stamp
from monitor.core.routing import Route, receivers_of
from monitor.core.source import Source, recovered
from monitor.engine.judgement import source_event
from monitor.engine.metrics import Metrics
from monitor.storage.batches.record import record
from monitor.storage.database import Database
from monitor.storage.deliveries.debts import debts_of_gone
from monitor.storage.deliveries.outbox import Birth, RoutedEvent
from monitor.storage.sources import SourceRecord, SourceRow, all_sources

QUIET: Final = timedelta(minutes=3)
"""A daemon that has a failing source tries it once a minute: after so long none has it any more."""

log = structlog.stdlib.get_logger()


class Departures:
    """Settle what sources and receivers left behind that are no longer in the config."""

    def __init__(
        self,
        database: Database,
        *,
        metrics: Metrics,
        owner: str,
        sources: Collection[str],
        receivers: Collection[str],
        routes: Sequence[Route],
    ) -> None:
        self._database = database
        self._metrics = metrics
        self._owner = owner
        self._told: set[str] = set()
        """Receivers whose debts the log has told."""
        self.change(sources=sources, receivers=receivers, routes=routes)

    def change(
        self, *, sources: Collection[str], receivers: Collection[str], routes: Sequence[Route]
    ) -> None:
        """Take over who is in the config from now on."""
        self._sources, self._receivers, self._routes = sources, receivers, routes

    async def see_off(self, owed: Collection[str], *, now: datetime) -> None:
        """End the failing of sources that left; log once what receivers that left are owed.

        `owed` names all receivers for which something waits.
        """
        for row in (await all_sources(self._database)).values():
            failing = row.health.failing_since is not None
            if failing and row.name not in self._sources and _is_quiet(row, now):
                with suppress(SourceMovedError):  # by another daemon, which does the same
                    await self._end_failing(row, now=now)
        left = {name for name in owed if name not in self._receivers}
        if left - self._told:
            await self._log_debts()
        self._told = left

    async def _log_debts(self) -> None:
        for name, debt in (await debts_of_gone(self._database, self._receivers)).items():
            if name not in self._told:
                since = stamp(debt.oldest)
                log.warning("receiver.gone", receiver=name, deliveries=debt.deliveries, since=since)

    async def _end_failing(self, row: SourceRow, *, now: datetime) -> None:
        """Report that a source fails no longer, for nobody polls it; its labels left with it."""
        before = row.health
        health = replace(recovered(before, now), sequence=before.sequence + 1)
        event = source_event(
            EventType.SOURCE_RECOVERED,
            Source(row=row.row, name=row.name, provider=row.provider, key=row.key),
            sequence=health.sequence,
            why=before,
            at=now,
            removed=True,
        )
        owed = RoutedEvent(event=event, receivers=receivers_of(event.facts, self._routes))
        moved = SourceRecord(row=row.row, version=row.version, health=health, blocked_until=None)
        await record(
            self._database,
            [],
            sources=[(moved, (owed,))],
            birth=Birth(owner=self._owner, room={}, lease={}),
            now=now,
        )
        self._metrics.events.labels(event.type).inc()
        log.info("source.gone", source=row.name, since=stamp(before.failing_since or now))


def _is_quiet(row: SourceRow, now: datetime) -> bool:
    """Tell whether nobody polls a source: another daemon may not have reloaded yet."""
    last = max(row.tokens_at, row.blocked_until or row.tokens_at)
    return now - last >= QUIET
