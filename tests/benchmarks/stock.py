"""Databases made ready for a measurement, by the product's own storage functions.

Batches are registered as `monitor add` does it, claimed, read once from a document and recorded as
the daemon does it, in larger groups; so the first reading of 100,000 is not part of any figure.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from monitor.core.batch import Origin, Watch
from monitor.core.conditions import Limits
from monitor.core.event import SubjectKind
from monitor.core.observe import Observation, observe
from monitor.core.source import Source
from monitor.providers.bolna import parse
from monitor.storage.batches.claim import claim_batches
from monitor.storage.batches.record import BatchRecord, record
from monitor.storage.batches.register import Registration, register_batches
from monitor.storage.database import Database, writing
from monitor.storage.deliveries.lanes import Subject, lock_subjects
from monitor.storage.deliveries.outbox import Reservation, RoutedEvent, enqueue
from monitor.storage.receivers import register_receivers
from monitor.storage.schema.version import migrate
from monitor.storage.sources import SourceRow, register_sources
from tests.benchmarks.documents import DOCUMENT, batch_ids
from tests.benchmarks.settings import RECEIVER, SOURCE

GROUP: Final = 1000
OWNER: Final = "stock"
UNCLAIMED: Final = Reservation(owner=OWNER, lease={}, room={})
_ANY_RATE: Final = 1e9
_LONG: Final = timedelta(days=30)


async def fill(
    url: str,
    number: int,
    *,
    due_after: timedelta = timedelta(),
    spread: timedelta = timedelta(),
    backlog: int = 0,
) -> float:
    """Register so many batches in a fresh database and read each once.

    All are due again at once, or `due_after` that, evenly over a time. Then store a backlog of so
    many deliveries, evenly over the batches, of events that nobody has sent; return the CPU seconds
    that took, from events that are ready to what is committed.
    """
    database = Database(url)
    try:
        await migrate(database)
        row = (await register_sources(database, {SOURCE: "bolna"}))[SOURCE]
        wanted = [Registration(source=SOURCE, id=id_) for id_ in batch_ids(number)]
        began = datetime.now(UTC)
        await register_batches(database, wanted, origin=Origin.ADDED, now=began)
        watches: list[Watch] = []
        while len(watches) < number:
            start = datetime.now(UTC) + due_after + spread * (len(watches) / number)
            plan = _Plan(due_by=began, start=start, step=spread / number)
            watches += await _read_some(database, row, plan)
        return await _owe(database, row, watches, rounds=backlog // number)
    finally:
        await database.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """Say which batches are to be read, and when they are due after that."""

    due_by: datetime
    start: datetime
    step: timedelta


async def _read_some(database: Database, row: SourceRow, plan: _Plan) -> list[Watch]:
    claimed = await claim_batches(
        database, row.row, want=GROUP, rate=_ANY_RATE, now=plan.due_by, lease=_LONG, owner=OWNER
    )
    now = datetime.now(UTC)
    seen = [(claim, _see(claim.watch, row, completed=1, at=now)) for claim in claimed.claims]
    records = [
        BatchRecord(
            watch=observation.watch,
            epoch=claim.epoch,
            next_poll_at=plan.start + plan.step * n,
            learned=True,
            snapshot=observation.snapshot,
            owed=_owed(observation),
        )
        for n, (claim, observation) in enumerate(seen)
    ]
    await record(database, records, reservation=UNCLAIMED, now=now)
    return [observation.watch for _, observation in seen]


async def _owe(database: Database, row: SourceRow, watches: list[Watch], *, rounds: int) -> float:
    """Store one event of each batch in a commit, again and again; return the CPU seconds."""
    await register_receivers(database, [RECEIVER])
    spent = 0.0
    for n in range(rounds):
        now = datetime.now(UTC)
        seen = [_see(watch, row, completed=2 + n, at=now) for watch in watches]
        owed = [item for observation in seen for item in _owed(observation, RECEIVER)]
        watches = [observation.watch for observation in seen]
        subjects = [(SubjectKind.BATCH, watch.batch.row) for watch in watches]
        began = time.process_time()
        await _store(database, subjects, owed, now=now)
        spent += time.process_time() - began
    return spent


@writing
def _store(
    connection: Connection, subjects: list[Subject], owed: list[RoutedEvent], *, now: datetime
) -> None:
    lock_subjects(connection, subjects)
    enqueue(connection, owed, now=now, reservation=UNCLAIMED)


def _see(watch: Watch, row: SourceRow, *, completed: int, at: datetime) -> Observation:
    """Observe one more reading of a batch, as the daemon does."""
    source = Source(row=row.row, name=row.name, provider="bolna", key=row.key)
    document = (DOCUMENT % (watch.batch.id, completed)).encode()
    limits = Limits(stall_after=_LONG, overdue_after=_LONG, settle_after=_LONG)
    reading = parse(document, watch.batch.id)
    return observe(watch, reading, source=source, interval=_LONG, limits=limits, at=at)


def _owed(observation: Observation, *receivers: str) -> tuple[RoutedEvent, ...]:
    return tuple(RoutedEvent(event=event, receivers=receivers) for event in observation.events)
