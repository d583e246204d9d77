"""A database at work, in the words that the storage tests use."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from monitor.core.batch import Counts, Origin, Phase, Reading, Watch
from monitor.core.conditions import Limits
from monitor.core.delivery import Delivery, DeliveryState, Settlement, Verdict, VerdictKind
from monitor.core.event import EventType, compose
from monitor.core.observe import Observation, observe
from monitor.core.payload import batch_data, batch_subject
from monitor.core.source import Source
from monitor.storage.batches.claim import Claim, Claims, claim_batches
from monitor.storage.batches.record import BatchRecord, RecordResult, record
from monitor.storage.batches.register import Registration, register_batches
from monitor.storage.database import Database, fetch
from monitor.storage.deliveries.claim import EndedAttempt, claim_deliveries, settle_deliveries
from monitor.storage.deliveries.outbox import Reservation, RoutedEvent
from monitor.storage.receivers import register_receivers
from monitor.storage.sources import SourceRow, register_sources

NOW = datetime(2026, 1, 29, 8, 31, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
LIMITS = Limits(stall_after=15 * MINUTE, overdue_after=15 * MINUTE, settle_after=15 * MINUTE)
LEASE = timedelta(seconds=35)


@dataclass(slots=True)
class Store:
    """Do what the engine does to a database, with defaults for what a test does not care about."""

    database: Database
    sources: dict[str, SourceRow] = field(default_factory=dict)

    async def add(self, *ids: str, source: str = "bolna", at: datetime = NOW, **about: Any) -> None:
        """Register batches, and their source if need be."""
        await self.source(source)
        wanted = [Registration(source=source, id=id_, **about) for id_ in ids]
        await register_batches(self.database, wanted, origin=Origin.ADDED, now=at)

    async def source(self, name: str = "bolna") -> SourceRow:
        """Register a source and return its row."""
        if name not in self.sources:
            rows = await register_sources(self.database, {name: "bolna"})
            self.sources[name] = rows[name]
        return self.sources[name]

    async def claim(
        self,
        *,
        source: str = "bolna",
        want: int = 100,
        rate: float = 1000.0,
        at: datetime = NOW,
        lease: timedelta = LEASE,
        owner: str = "one",
        **about: Any,
    ) -> Claims:
        """Claim due batches."""
        row = (await self.source(source)).row
        return await claim_batches(
            self.database, row, want=want, rate=rate, now=at, lease=lease, owner=owner, **about
        )

    async def claim_one(self, **about: Any) -> Claim:
        """Claim due batches of which there must be one."""
        (claim,) = (await self.claim(**about)).claims
        return claim

    async def write(
        self,
        *records: BatchRecord,
        at: datetime = NOW,
        owner: str = "one",
        reservation: Reservation | None = None,
        **about: Any,
    ) -> RecordResult:
        """Commit poll results."""
        chosen = reservation or _born_unclaimed(owner)
        return await record(self.database, records, reservation=chosen, now=at, **about)

    async def tell(
        self,
        *ids: str,
        receivers: Sequence[str] = ("crm",),
        at: datetime = NOW,
        reading: Reading | None = None,
        reservation: Reservation | None = None,
    ) -> RecordResult:
        """Poll these batches once, all at once; every poll tells at least one event."""
        chosen = await self._claim_all(ids, at=at)
        records = []
        for claim in chosen:
            shown = reading or running(calls=claim.watch.sequence + 1)
            records.append(self.record_of(claim, shown, receivers=receivers, at=at, due=at))
        return await self.write(*records, at=at, reservation=reservation)

    async def _claim_all(self, ids: Sequence[str], *, at: datetime) -> list[Claim]:
        """Claim these; a claim passes over rows that somebody locks at that very moment."""
        chosen: list[Claim] = []
        for _ in range(100):
            claimed = await self.claim(want=1000, rate=1e6, at=at)
            chosen += [claim for claim in claimed.claims if claim.watch.batch.id in ids]
            if len(chosen) == len(ids):
                return chosen
            await asyncio.sleep(0.002)
        raise AssertionError("all of them must be due")

    def record_of(
        self,
        claim: Claim,
        reading: Reading,
        *,
        receivers: Sequence[str] = ("crm",),
        at: datetime = NOW,
        due: datetime | None = None,
    ) -> BatchRecord:
        """Observe a reading of a claimed batch as the engine does."""
        seen = self.observe(claim.watch, reading, at=at)
        return BatchRecord(
            watch=seen.watch,
            epoch=claim.epoch,
            next_poll_at=due or at + MINUTE,
            learned=seen.watch.known is not claim.watch.known,
            snapshot=seen.snapshot,
            owed=tuple(
                RoutedEvent(event=event, receivers=tuple(receivers)) for event in seen.events
            ),
        )

    def observe(self, watch: Watch, reading: Reading, *, at: datetime = NOW) -> Observation:
        """Observe a reading."""
        row = self.sources[watch.batch.source]
        source = Source(row=row.row, name=row.name, provider="bolna", key=row.key)
        return observe(watch, reading, source=source, interval=MINUTE, limits=LIMITS, at=at)

    async def take(
        self,
        receiver: str = "crm",
        *,
        limit: int = 8,
        at: datetime = NOW,
        lease: timedelta = LEASE,
        owner: str = "one",
    ) -> list[Delivery]:
        """Claim due deliveries."""
        return await claim_deliveries(
            self.database, receiver, limit=limit, now=at, lease=lease, owner=owner
        )

    async def settle(
        self,
        *deliveries: Delivery,
        kind: VerdictKind = VerdictKind.DELIVERED,
        due: datetime | None = None,
        at: datetime = NOW,
        **about: Any,
    ) -> set[str]:
        """Settle deliveries, all in one way; with a due time they stay pending."""
        states = {
            VerdictKind.DELIVERED: DeliveryState.DELIVERED,
            VerdictKind.DEAD: DeliveryState.DEAD,
        }
        settled = [
            EndedAttempt(
                delivery=delivery,
                verdict=Verdict(kind=kind, **about),
                settlement=Settlement(
                    state=DeliveryState.PENDING if due else states[kind],
                    due_at=due,
                    attempts=delivery.attempts + 1,
                ),
                started_at=at,
                duration=timedelta(milliseconds=12),
            )
            for delivery in deliveries
        ]
        return await settle_deliveries(self.database, settled, now=at)

    async def receivers(self, *names: str) -> None:
        """Register receivers."""
        await register_receivers(self.database, names)

    async def rows(self, statement: str, **values: Any) -> list[Any]:
        """Read rows."""
        return list(await fetch(self.database, text(statement), values))

    async def value(self, statement: str, **values: Any) -> Any:
        """Read one value."""
        ((value,),) = await self.rows(statement, **values)
        return value

    async def run(self, statement: str, **values: Any) -> None:
        """Write."""
        await self.database.write(lambda connection: connection.execute(text(statement), values))


def running(*, calls: int = 1, **about: Any) -> Reading:
    """Return a reading of a running batch with so many calls under way."""
    counts: Counts = {"ringing": calls}
    given: dict[str, Any] = {
        "status": "running",
        "phase": Phase.RUNNING,
        "counts": counts,
        "open_calls": calls,
    }
    return Reading(**(given | about))


def reservation(rooms: Mapping[str, int], *, owner: str = "one") -> Reservation:
    """Let deliveries be born claimed, as many as each receiver has room for."""
    return Reservation(owner=owner, lease=dict.fromkeys(rooms, LEASE), room=rooms)


def _born_unclaimed(owner: str) -> Reservation:
    return Reservation(owner=owner, lease={}, room={})


def unreachable(claim: Claim, source: Source, *, at: datetime) -> Any:
    """Compose an event that comes without a reading."""
    data = batch_data(source, claim.watch, claim.watch)
    subject = batch_subject(claim.watch.batch)
    return compose(EventType.UNREACHABLE, subject, sequence=1, at=at, data=data)
