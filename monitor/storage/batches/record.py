"""One commit of poll results: states, snapshots, events and deliveries together or not at all."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, insert, text

from monitor.core.batch import Watch
from monitor.core.delivery import Delivery
from monitor.core.errors import SourceMovedError
from monitor.core.event import SubjectKind
from monitor.core.observe import Snapshot
from monitor.core.value import value
from monitor.storage.batches.row import KNOWN_COLUMNS, failures_column, known_columns
from monitor.storage.database import writing
from monitor.storage.deliveries.lanes import lock_subjects
from monitor.storage.deliveries.outbox import Birth, RoutedEvent, enqueue
from monitor.storage.rows import DIALECTS, encode_rows, rows_of
from monitor.storage.schema.tables import snapshots
from monitor.storage.sources import SourceRecord, record_source
from monitor.storage.times import milliseconds


@value
class BatchRecord:
    """Hold what one poll leaves behind of its batch."""

    watch: Watch
    epoch: int
    next_poll_at: datetime | None
    learned: bool
    """What is known differs: all columns are written, not the few that every poll moves."""
    snapshot: Snapshot | None = None
    owed: tuple[RoutedEvent, ...] = ()

    @property
    def claim(self) -> tuple[int, int]:
        """Name the claim whose result this is: a batch may come twice, claimed anew meanwhile."""
        return self.watch.batch.row, self.epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordResult:
    """Hold what a commit did: the claims written back (row, epoch), deliveries born claimed."""

    claims: set[tuple[int, int]]
    born: list[Delivery] = field(default_factory=list)


@writing
def record(
    connection: Connection,
    batches: Sequence[BatchRecord],
    *,
    sources: Sequence[tuple[SourceRecord, tuple[RoutedEvent, ...]]] = (),
    birth: Birth,
    now: datetime,
) -> RecordResult:
    """Commit a group of results that `birth.owner` had claimed.

    A batch that was claimed anew or removed since is left alone.

    Raises SourceMovedError, having written nothing, when a source's health is not what it was
    judged by; DataRefusedError when a value is at fault; StorageError else.
    """
    # Postgres: in row order, as the relay locks them, or the two could wait for each other
    subjects = [(SubjectKind.BATCH, item.watch.batch.row) for item in batches]
    lock_subjects(connection, subjects)
    for source, _ in sorted(sources, key=lambda item: item[0].row):
        if not record_source(connection, source):
            raise SourceMovedError("a source's health was moved by another daemon")
    claims = _write_back(connection, batches, owner=birth.owner)
    kept = [item for item in batches if item.claim in claims]
    _insert_snapshots(connection, kept)
    owed = [owed for _, events in sources for owed in events]
    owed += [owed for item in kept for owed in item.owed]
    born = enqueue(connection, owed, now=now, birth=birth)
    return RecordResult(claims=claims, born=born)


def _write_back(
    connection: Connection, batches: Iterable[BatchRecord], *, owner: str
) -> set[tuple[int, int]]:
    written: set[tuple[int, int]] = set()
    items = list(batches)
    for learned in (False, True):
        rows = [_columns(item) for item in items if item.learned is learned]
        if rows:
            found = connection.execute(
                _WRITE_BACK[connection.dialect.name, learned],
                {"rows": encode_rows(rows), "owner": owner},
            )
            written.update((row[0], row[1]) for row in found)
    return written


def _columns(item: BatchRecord) -> dict[str, Any]:
    watch = item.watch
    columns: dict[str, Any] = {
        "id": watch.batch.row,
        "epoch": item.epoch,
        "sequence": watch.sequence,
        "last_poll_at": milliseconds(watch.last_poll_at),
        "observed_at": milliseconds(watch.observed_at),
        "next_poll_at": milliseconds(item.next_poll_at),
        "failures": failures_column(watch.failures),
    }
    if item.learned and watch.known is not None:
        columns |= {"snapshots": watch.snapshots, **known_columns(watch.known)}
    return columns


def _insert_snapshots(connection: Connection, batches: Iterable[BatchRecord]) -> None:
    rows = [
        {
            "batch": item.watch.batch.row,
            "number": snapshot.number,
            "at": milliseconds(snapshot.at),
            "status": snapshot.known.status,
            "phase": snapshot.known.phase.value,
            "counts": known_columns(snapshot.known)["counts"],
            "open_calls": snapshot.known.open_calls,
            "total_contacts": snapshot.known.total_contacts,
            "valid_contacts": snapshot.known.valid_contacts,
        }
        for item in batches
        if (snapshot := item.snapshot) is not None
    ]
    if rows:
        connection.execute(insert(snapshots), rows)


_STILL_LEASED: Final = "COALESCE(batches.lease_owner, '') = :owner"
"""Put so that SQLite takes each row by its key: else it reads all that is leased for each."""


def _write_back_statement(dialect: str, *, learned: bool) -> Any:
    moved = {
        "sequence": "bigint",
        "last_poll_at": "bigint",
        "observed_at": "bigint",
        "next_poll_at": "bigint",
        "failures": "text",
    }
    if learned:
        moved |= {"snapshots": "bigint", **KNOWN_COLUMNS}
    assignments = ", ".join(f"{name} = r.{name}" for name in moved)
    rows = rows_of(dialect, {"id": "bigint", "epoch": "bigint", **moved})
    return text(
        f"UPDATE batches SET {assignments}, due_at = NULL, lease_owner = NULL FROM {rows}"  # noqa: S608 (ours)
        f" WHERE batches.id = r.id AND batches.epoch = r.epoch AND {_STILL_LEASED}"
        " RETURNING batches.id, batches.epoch"
    )


_WRITE_BACK: Final = {
    (dialect, learned): _write_back_statement(dialect, learned=learned)
    for dialect in DIALECTS
    for learned in (False, True)
}
