"""Departures: debts to receivers, and failures of sources, that left the config."""

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
from monitor.engine.parts import Parts, Resources
from monitor.engine.writing.judgement import source_event
from monitor.storage.batches.record import record
from monitor.storage.deliveries.debts import debts_of_gone
from monitor.storage.deliveries.outbox import Reservation, RoutedEvent
from monitor.storage.sources import SourceRecord, SourceRow, all_sources

QUIET: Final = timedelta(minutes=3)
"""A daemon that has a failing source tries it once a minute: after so long none has it any more."""

log = structlog.stdlib.get_logger()


class Departures:
    """Settle what sources and receivers left behind that are no longer in the config."""

    def __init__(self, resources: Resources) -> None:
        self._database, self._metrics = resources.database, resources.metrics
        self._owner = resources.owner
        self._logged: set[str] = set()
        """Receivers whose debts were logged."""

    async def see_off(self, parts: Parts, owed: Collection[str], *, now: datetime) -> None:
        """End the failing of sources that left; log once what receivers that left are owed.

        `owed` names all receivers for which something waits.
        """
        sources = {source.name for source in parts.sources}
        for row in (await all_sources(self._database)).values():
            failing = row.health.failing_since is not None
            if failing and row.name not in sources and _is_quiet(row, now):
                with suppress(SourceMovedError):  # by another daemon, which does the same
                    await self._end_failing(row, parts.routes, now=now)
        receivers = {receiver.name for receiver in parts.receivers}
        left = {name for name in owed if name not in receivers}
        if left - self._logged:
            await self._log_debts(receivers)
        self._logged = left

    async def _log_debts(self, receivers: Collection[str]) -> None:
        for name, debt in (await debts_of_gone(self._database, receivers)).items():
            if name not in self._logged:
                since = stamp(debt.oldest)
                log.warning("receiver.gone", receiver=name, deliveries=debt.deliveries, since=since)

    async def _end_failing(self, row: SourceRow, routes: Sequence[Route], *, now: datetime) -> None:
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
        moved = SourceRecord(
            row=row.row,
            version=row.version,
            health=health,
            blocked_until=None,
            owed=(RoutedEvent(event=event, receivers=receivers_of(event.facts, routes)),),
        )
        nobody = Reservation(owner=self._owner, room={}, lease={})
        await record(self._database, [], sources=[moved], reservation=nobody, now=now)
        self._metrics.events.labels(event.type).inc()
        log.info("source.gone", source=row.name, since=stamp(before.failing_since or now))


def _is_quiet(row: SourceRow, now: datetime) -> bool:
    """Return whether nobody polls a source: another daemon may not have reloaded yet."""
    last = max(row.tokens_at, row.blocked_until or row.tokens_at)
    return now - last >= QUIET
