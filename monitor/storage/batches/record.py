"""One commit of poll results: states, snapshots, events and deliveries together or not at all."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, text

from monitor.core.batch import Watch
from monitor.core.delivery import Delivery
from monitor.core.errors import SourceMovedError
from monitor.core.event import SubjectKind
from monitor.core.observe import Snapshot
from monitor.core.value import value
from monitor.storage.batches.row import KNOWN, MOVED
from monitor.storage.database import writing
from monitor.storage.deliveries.lanes import lock_subjects
from monitor.storage.deliveries.outbox import Reservation, RoutedEvent, enqueue
from monitor.storage.sources import SourceRecord, record_source
from monitor.storage.sql import CLAIM_KEY, Statement, milliseconds, names_of


@value
class BatchRecord:
    """What one poll leaves behind of its batch."""

    watch: Watch
    epoch: int
    next_poll_at: datetime | None
    learned: bool
    """What is known differs: all columns are written, not the few that every poll moves."""
    snapshot: Snapshot | None = None
    owed: tuple[RoutedEvent, ...] = ()

    @property
    def claim(self) -> tuple[int, int]:
        """Name the claim whose result this is: a batch may come twice, claimed twice meanwhile."""
        return self.watch.batch.row, self.epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordResult:
    """What a commit did: the claims written back (row, epoch), and deliveries born claimed."""

    claims: set[tuple[int, int]]
    reserved: list[Delivery] = field(default_factory=list)


@writing
def record(
    connection: Connection,
    batches: Sequence[BatchRecord],
    *,
    sources: Sequence[SourceRecord] = (),
    reservation: Reservation,
    now: datetime,
) -> RecordResult:
    """Commit a group of results that `reservation.owner` had claimed.

    One transaction: of a state without its events nobody would ever hear, and of events without
    their state twice. A batch that was claimed again or removed since is left alone.

    Raises SourceMovedError, having written nothing, when a source's health is not what it was
    judged by; DataRefusedError when a value is at fault; StorageError else.
    """
    # Postgres: in row order, as the relay locks them, or the two could wait for each other
    subjects = [(SubjectKind.BATCH, item.watch.batch.row) for item in batches]
    lock_subjects(connection, subjects)
    for source in sorted(sources, key=lambda source: source.row):
        if not record_source(connection, source):
            raise SourceMovedError("a source's health was moved by another daemon")
    claims = _write_back(connection, batches, owner=reservation.owner)
    kept = [item for item in batches if item.claim in claims]
    _insert_snapshots(connection, kept)
    owed = [owed for source in sources for owed in source.owed]
    owed += [owed for item in kept for owed in item.owed]
    reserved = enqueue(connection, owed, now=now, reservation=reservation)
    return RecordResult(claims=claims, reserved=reserved)


# put so that SQLite takes each row by its key: else it reads all that is leased for each
_STILL_LEASED: Final = "COALESCE(batches.lease_owner, '') = :owner"


def _writing_back(columns: str) -> Statement:
    """Write the end of claims by the same daemon under the same epoch: anybody else comes late."""
    assignments = ", ".join(f"{name} = r.{name}" for name in names_of(columns))
    return Statement(
        f"UPDATE batches SET {assignments}, due_at = NULL, lease_owner = NULL FROM {{rows}}"
        f" WHERE batches.id = r.id AND batches.epoch = r.epoch AND {_STILL_LEASED}"
        " RETURNING batches.id, batches.epoch",
        rows=f"{CLAIM_KEY}, {columns}",
    )


_MOVED_COLUMNS: Final = f"{MOVED.types}, next_poll_at bigint"
# results by which nothing new is known: the few columns that every poll moves
_WRITE_MOVED: Final = _writing_back(_MOVED_COLUMNS)
# results by which more is known: all columns
_WRITE_LEARNED: Final = _writing_back(f"{_MOVED_COLUMNS}, snapshots bigint, {KNOWN.types}")


def _write_back(
    connection: Connection, batches: Sequence[BatchRecord], *, owner: str
) -> set[tuple[int, int]]:
    written: set[tuple[int, int]] = set()
    for learned, write in ((False, _WRITE_MOVED), (True, _WRITE_LEARNED)):
        rows = [_columns(item) for item in batches if item.learned is learned]
        if rows:
            found = write.run(connection, rows=rows, owner=owner)
            written.update((row, epoch) for row, epoch in found)
    return written


def _columns(item: BatchRecord) -> dict[str, Any]:
    watch = item.watch
    columns: dict[str, Any] = {
        "id": watch.batch.row,
        "epoch": item.epoch,
        "next_poll_at": milliseconds(item.next_poll_at),
        **MOVED.dump(watch),
    }
    if item.learned and watch.known is not None:
        columns |= {"snapshots": watch.snapshots, **KNOWN.dump(watch.known)}
    return columns


# the readings that a batch's page shows
_INSERT_SNAPSHOT: Final = text(
    "INSERT INTO snapshots (batch, number, at, status, phase, counts, open_calls, total_contacts,"
    " valid_contacts) VALUES (:batch, :number, :at, :status, :phase, :counts, :open_calls,"
    " :total_contacts, :valid_contacts)"
)


def _insert_snapshots(connection: Connection, batches: Iterable[BatchRecord]) -> None:
    rows = [
        {
            **KNOWN.dump(snapshot.known),
            "phase": snapshot.known.phase.value,
            "batch": item.watch.batch.row,
            "number": snapshot.number,
            "at": milliseconds(snapshot.at),
        }
        for item in batches
        if (snapshot := item.snapshot) is not None
    ]
    if rows:
        connection.execute(_INSERT_SNAPSHOT, rows)
