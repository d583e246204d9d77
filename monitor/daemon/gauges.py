"""The gauges: what a scrape of /metrics finds out at that moment, and for whom it counts."""

from monitor.core.errors import StorageError
from monitor.daemon.readiness import Readiness
from monitor.engine.engine import Engine
from monitor.logs import lines_dropped
from monitor.storage.counts import count_batches, count_due, count_pending
from monitor.storage.database import Database


class Gauges:
    """Fill in the gauges before a scrape; what left the config leaves them too.

    Whatever the config names has its counters from then on, after a reload as from the start.
    """

    def __init__(self, engine: Engine, database: Database, readiness: Readiness) -> None:
        self._engine = engine
        self._database = database
        self._readiness = readiness
        self._lines_dropped = 0
        """As last counted."""

    async def refresh(self) -> None:
        """Set what memory knows, then what the database knows, if it answers."""
        self._set_sources()
        self._set_receivers()
        metrics = self._engine.metrics
        metrics.writer_queue.set(self._engine.writer.queued)
        dropped = lines_dropped()
        metrics.log_lines_dropped.inc(dropped - self._lines_dropped)
        self._lines_dropped = dropped
        up = not await self._readiness.problems_of_database()
        metrics.database_up.set(up)
        if up:
            await self._count()

    def _set_sources(self) -> None:
        metrics, now = self._engine.metrics, self._engine.clock.now()
        metrics.source_up.clear()
        metrics.budget_used.clear()
        metrics.source_paused.clear()
        for source in self._engine.sources:
            name = source.name
            metrics.begin_source(name, discovers=source.provider.finder is not None)
            metrics.source_up.labels(name).set(source.health.failing_since is None)
            metrics.budget_used.labels(name).set(source.budget_used(now))
            metrics.source_paused.labels(name).set(source.paused_for(now).total_seconds())

    def _set_receivers(self) -> None:
        metrics = self._engine.metrics
        metrics.receiver_held.clear()
        for receiver in self._engine.receivers:
            metrics.begin_receiver(receiver.name)
            metrics.receiver_held.labels(receiver.name).set(receiver.hold is not None)

    async def _count(self) -> None:
        """Count in the database; one that fails just now leaves the last numbers standing."""
        metrics = self._engine.metrics
        try:
            batches = await count_batches(self._database)
            due = await count_due(self._database, now=self._engine.clock.now())
            pending = await count_pending(self._database)
        except StorageError:
            return
        at_work = {source.name for source in self._engine.sources}
        metrics.batches.clear()
        metrics.batches_stalled.clear()
        for source in at_work:
            metrics.batches_stalled.labels(source).set(0)
        for (source, phase), watched in batches.items():
            if source in at_work:
                metrics.batches.labels(source, phase).set(watched.number)
                metrics.batches_stalled.labels(source).inc(watched.stalled)
        metrics.batches_due.clear()
        for source in at_work:
            metrics.batches_due.labels(source).set(due.get(source, 0))
        metrics.deliveries_pending.clear()
        for name in {*pending, *(receiver.name for receiver in self._engine.receivers)}:
            metrics.deliveries_pending.labels(name).set(pending.get(name, 0))
