"""The tables, the same on SQLite and Postgres; times are milliseconds since 1970, UTC."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from monitor.storage.batches.row import KNOWN

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)

_ROW = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite numbers rows by itself only in a column of exactly the type INTEGER."""


def _row() -> Column[int]:
    return Column("id", _ROW, primary_key=True, autoincrement=True)


def _partial_index(name: str, *columns: str, where: str) -> Index:
    condition = text(where)
    return Index(name, *columns, sqlite_where=condition, postgresql_where=condition)


def _known_columns() -> Iterator[Column[Any]]:
    """Yield the columns of what is known of a batch, as batches/row.py lists them."""
    kinds: dict[str, type[Any]] = {"text": Text, "bigint": BigInteger, "boolean": Boolean}
    for field in KNOWN:
        yield Column(field.column, String(field.limit) if field.limit else kinds[field.kind])


sources = Table(
    "sources",
    metadata,
    _row(),
    Column("name", String(63), nullable=False, unique=True),
    Column("provider", String(63), nullable=False),
    Column("key", String(32), nullable=False),
    Column("health", Text, nullable=False, server_default="{}"),
    Column("version", BigInteger, nullable=False, server_default="0"),
    Column("blocked_until", BigInteger),
    Column("tokens", Float, nullable=False, server_default="0"),
    Column("tokens_at", BigInteger, nullable=False, server_default="0"),
    # when its first complete round of discovery had ended
    Column("listed_at", BigInteger),
    # its batches were planned by a clock that was put back since; they are being made due
    Column("planned_ahead", Boolean),
)

batches = Table(
    "batches",
    metadata,
    _row(),
    Column("source", String(63), nullable=False),
    Column("external_id", String(256), nullable=False),
    # what all notations of one id share; see core/batch_id.py
    Column("identity", String(256)),
    Column("key", String(32), nullable=False),
    Column("origin", String(16), nullable=False),
    Column("labels", Text, nullable=False, server_default="{}"),
    Column("name", String(256)),
    Column("watched", Boolean, nullable=False),
    Column("registered_at", BigInteger, nullable=False),
    # the claim: a claimed batch's next_poll_at is the end of its lease, due_at what it was before
    Column("next_poll_at", BigInteger),
    Column("due_at", BigInteger),
    Column("lease_owner", String(63)),
    Column("epoch", BigInteger, nullable=False, server_default="0"),
    # the watch
    Column("sequence", BigInteger, nullable=False, server_default="0"),
    Column("snapshots", BigInteger, nullable=False, server_default="0"),
    Column("last_poll_at", BigInteger),
    Column("observed_at", BigInteger),
    Column("failures", Text),
    *_known_columns(),
    Column("found_first", Boolean),
    UniqueConstraint("source", "external_id"),
    Index("uq_batches_source_identity", "source", "identity", unique=True),
    _partial_index("ix_batches_unidentified", "id", where="identity IS NULL"),
    _partial_index("ix_batches_declared", "source", where="origin = 'file' AND watched"),
    _partial_index("ix_batches_leased", "lease_owner", where="lease_owner IS NOT NULL"),
    _partial_index("ix_batches_due", "source", "next_poll_at", where="next_poll_at IS NOT NULL"),
    _partial_index(
        "ix_batches_running",
        "source",
        "next_poll_at",
        where="phase = 'running' AND next_poll_at IS NOT NULL",
    ),
)

snapshots = Table(
    "snapshots",
    metadata,
    _row(),
    Column("batch", _ROW, ForeignKey("batches.id"), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False, index=True),
    Column("status", String(64), nullable=False),
    Column("phase", String(16), nullable=False),
    Column("counts", Text),
    Column("open_calls", BigInteger, nullable=False),
    Column("total_contacts", BigInteger),
    Column("valid_contacts", BigInteger),
    UniqueConstraint("batch", "number"),
)

events = Table(
    "events",
    metadata,
    Column("id", String(30), primary_key=True),
    Column("subject_kind", String(16), nullable=False),
    Column("subject_row", BigInteger, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("type", String(32), nullable=False),
    Column("at", BigInteger, nullable=False, index=True),
    Column("body", LargeBinary, nullable=False),
    Column("routing", Text, nullable=False),
    UniqueConstraint("subject_kind", "subject_row", "sequence"),
)

deliveries = Table(
    "deliveries",
    metadata,
    _row(),
    Column("event", String(30), ForeignKey("events.id"), nullable=False),
    Column("receiver", String(63), nullable=False),
    Column("subject_kind", String(16), nullable=False),
    Column("subject_row", BigInteger, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    # only the head of a lane has a due_at; a claimed one's is the end of its lease
    Column("due_at", BigInteger),
    Column("lease_owner", String(63)),
    Column("epoch", BigInteger, nullable=False, server_default="0"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("enqueued_at", BigInteger, nullable=False),
    Column("delivered_at", BigInteger),
    UniqueConstraint("event", "receiver"),
    _partial_index("ix_deliveries_leased", "lease_owner", where="lease_owner IS NOT NULL"),
    _partial_index(
        "ix_deliveries_due", "receiver", "due_at", where="state = 'pending' AND due_at IS NOT NULL"
    ),
    _partial_index(
        "ix_deliveries_lane",
        "receiver",
        "subject_kind",
        "subject_row",
        "sequence",
        where="state = 'pending'",
    ),
    sqlite_autoincrement=True,  # people see these numbers: never give one twice
)

attempts = Table(
    "attempts",
    metadata,
    _row(),
    Column("delivery", _ROW, ForeignKey("deliveries.id"), nullable=False, index=True),
    Column("at", BigInteger, nullable=False),
    Column("duration_ms", BigInteger, nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("status_code", Integer),
    Column("error", String(64)),
    Column("response", Text),
)

receivers = Table(
    "receivers",
    metadata,
    _row(),
    Column("name", String(63), nullable=False, unique=True),
    Column("key", String(32), nullable=False),
    Column("sequence", BigInteger, nullable=False, server_default="0"),
    Column("held_since", BigInteger),
    Column("held_until", BigInteger),
    Column("hold_step", Integer),
)

instances = Table(
    "instances",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("seen_at", BigInteger, nullable=False),
)
