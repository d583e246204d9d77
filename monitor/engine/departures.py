"""Departures: what is still owed to receivers that left the config, and told of sources."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from monitor.core.errors import SourceMovedError
from monitor.core.event import EventType, compose, stamp
from monitor.core.payload import failure_data, source_data, source_subject
from monitor.core.routing import Route, receivers_of
from monitor.core.source import Source
from monitor.storage.database import Database
from monitor.storage.debts import debts_of_gone
from monitor.storage.deliveries import due_receivers
from monitor.storage.outbox import Birth, Owed
from monitor.storage.record import record
from monitor.storage.sources import SourceRecord, SourceRow, all_sources

QUIET: Final = timedelta(minutes=3)
"""A failing source is tried once a minute: who does so no more has let it go, too."""

log = structlog.stdlib.get_logger()


class Departures:
    """Know who is in the config, and see to what those left behind who are not."""

    def __init__(
        self,
        database: Database,
        *,
        owner: str,
        sources: Collection[str],
        receivers: Collection[str],
        routes: Sequence[Route],
    ) -> None:
        self._database = database
        self._owner = owner
        self._told: set[str] = set()
        """Receivers whose debts the log has told."""
        self.change(sources=sources, receivers=receivers, routes=routes)

    def change(
        self, *, sources: Collection[str], receivers: Collection[str], routes: Sequence[Route]
    ) -> None:
        """Take over who is in the config from now on."""
        self._sources, self._receivers, self._routes = sources, receivers, routes

    async def see_off(self, *, now: datetime) -> None:
        """End the failing of sources that left; tell what receivers that left are owed, once."""
        for row in (await all_sources(self._database)).values():
            gone = row.name not in self._sources and _is_quiet(row, now)
            if gone and row.health.failing_since is not None:
                with suppress(SourceMovedError):  # by another daemon, which does the same
                    await self._end_failing(row, now=now)
        owed = {name for name in await due_receivers(self._database) if name not in self._receivers}
        if owed - self._told:
            for name, debt in (await debts_of_gone(self._database, self._receivers)).items():
                if name not in self._told:
                    since = stamp(debt.oldest)
                    log.warning(
                        "receiver.gone", receiver=name, deliveries=debt.deliveries, since=since
                    )
        self._told = owed

    async def _end_failing(self, row: SourceRow, *, now: datetime) -> None:
        """Tell that a source fails no longer: nobody polls it; its labels left with it."""
        before = row.health
        health = replace(
            before,
            sequence=before.sequence + 1,
            failing_since=None,
            kind=None,
            status_code=None,
            recovered_at=now,
        )
        source = Source(row=row.row, name=row.name, provider=row.provider, key=row.key)
        event = compose(
            EventType.SOURCE_RECOVERED,
            source_subject(source),
            sequence=health.sequence,
            at=now,
            data=source_data(source)
            | failure_data(before.kind, before.status_code, before.failing_since)
            | {"removed": True},
        )
        owed = Owed(event=event, receivers=receivers_of(event.facts, self._routes))
        moved = SourceRecord(row=row.row, version=row.version, health=health, blocked_until=None)
        await record(
            self._database,
            [],
            sources=[(moved, (owed,))],
            birth=Birth(owner=self._owner, room={}, lease={}),
            now=now,
        )
        log.info("source.gone", source=row.name, since=stamp(before.failing_since or now))


def _is_quiet(row: SourceRow, now: datetime) -> bool:
    """Tell whether nobody polls a source: another daemon may not have reloaded yet."""
    last = max(row.tokens_at, row.blocked_until or row.tokens_at)
    return now - last >= QUIET
