"""The tables, the same on SQLite and Postgres; times are milliseconds since 1970, UTC."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from monitor.storage.batches.row import KNOWN

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)

_ROW = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""SQLite numbers rows by itself only in a column of exactly the type INTEGER."""


def _row() -> sa.Column[int]:
    return sa.Column("id", _ROW, primary_key=True, autoincrement=True)


def _partial_index(name: str, *columns: str, where: str) -> sa.Index:
    condition = sa.text(where)
    return sa.Index(name, *columns, sqlite_where=condition, postgresql_where=condition)


def _known_columns() -> Iterator[sa.Column[Any]]:
    """Yield the columns of what is known of a batch, as batches/row.py lists them."""
    kinds: dict[str, type[Any]] = {"text": sa.Text, "bigint": sa.BigInteger, "boolean": sa.Boolean}
    for field in KNOWN:
        yield sa.Column(field.column, sa.String(field.limit) if field.limit else kinds[field.kind])


sources = sa.Table(
    "sources",
    metadata,
    _row(),
    sa.Column("name", sa.String(63), nullable=False, unique=True),
    sa.Column("provider", sa.String(63), nullable=False),
    sa.Column("key", sa.String(32), nullable=False),
    sa.Column("health", sa.Text, nullable=False, server_default="{}"),
    sa.Column("version", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("blocked_until", sa.BigInteger),
    sa.Column("tokens", sa.Float, nullable=False, server_default="0"),
    sa.Column("tokens_at", sa.BigInteger, nullable=False, server_default="0"),
    # when its first complete round of discovery had ended
    sa.Column("listed_at", sa.BigInteger),
    # its batches were planned by a clock that was put back since; they are being made due
    sa.Column("planned_ahead", sa.Boolean),
)

batches = sa.Table(
    "batches",
    metadata,
    _row(),
    sa.Column("source", sa.String(63), nullable=False),
    sa.Column("external_id", sa.String(256), nullable=False),
    # what all notations of one id share; see core/batch_id.py
    sa.Column("identity", sa.String(256)),
    sa.Column("key", sa.String(32), nullable=False),
    sa.Column("origin", sa.String(16), nullable=False),
    sa.Column("labels", sa.Text, nullable=False, server_default="{}"),
    sa.Column("name", sa.String(256)),
    sa.Column("watched", sa.Boolean, nullable=False),
    sa.Column("registered_at", sa.BigInteger, nullable=False),
    # the claim: a claimed batch's next_poll_at is the end of its lease, due_at what it was before
    sa.Column("next_poll_at", sa.BigInteger),
    sa.Column("due_at", sa.BigInteger),
    sa.Column("lease_owner", sa.String(63)),
    sa.Column("epoch", sa.BigInteger, nullable=False, server_default="0"),
    # the watch
    sa.Column("sequence", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("snapshots", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("last_poll_at", sa.BigInteger),
    sa.Column("observed_at", sa.BigInteger),
    sa.Column("failures", sa.Text),
    *_known_columns(),
    sa.Column("found_first", sa.Boolean),
    sa.UniqueConstraint("source", "external_id"),
    sa.Index("uq_batches_source_identity", "source", "identity", unique=True),
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

snapshots = sa.Table(
    "snapshots",
    metadata,
    _row(),
    sa.Column("batch", _ROW, sa.ForeignKey("batches.id"), nullable=False),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False, index=True),
    sa.Column("status", sa.String(64), nullable=False),
    sa.Column("phase", sa.String(16), nullable=False),
    sa.Column("counts", sa.Text),
    sa.Column("open_calls", sa.BigInteger, nullable=False),
    sa.Column("total_contacts", sa.BigInteger),
    sa.Column("valid_contacts", sa.BigInteger),
    sa.UniqueConstraint("batch", "number"),
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("id", sa.String(30), primary_key=True),
    sa.Column("subject_kind", sa.String(16), nullable=False),
    sa.Column("subject_row", sa.BigInteger, nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("type", sa.String(32), nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False, index=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("routing", sa.Text, nullable=False),
    sa.UniqueConstraint("subject_kind", "subject_row", "sequence"),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    _row(),
    sa.Column("event", sa.String(30), sa.ForeignKey("events.id"), nullable=False),
    sa.Column("receiver", sa.String(63), nullable=False),
    sa.Column("subject_kind", sa.String(16), nullable=False),
    sa.Column("subject_row", sa.BigInteger, nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    # only the head of a lane has a due_at; a claimed one's is the end of its lease
    sa.Column("due_at", sa.BigInteger),
    sa.Column("lease_owner", sa.String(63)),
    sa.Column("epoch", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("enqueued_at", sa.BigInteger, nullable=False),
    sa.Column("delivered_at", sa.BigInteger),
    sa.UniqueConstraint("event", "receiver"),
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

attempts = sa.Table(
    "attempts",
    metadata,
    _row(),
    sa.Column("delivery", _ROW, sa.ForeignKey("deliveries.id"), nullable=False, index=True),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("duration_ms", sa.BigInteger, nullable=False),
    sa.Column("verdict", sa.String(16), nullable=False),
    sa.Column("status_code", sa.Integer),
    sa.Column("error", sa.String(64)),
    sa.Column("response", sa.Text),
)

receivers = sa.Table(
    "receivers",
    metadata,
    _row(),
    sa.Column("name", sa.String(63), nullable=False, unique=True),
    sa.Column("key", sa.String(32), nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("held_since", sa.BigInteger),
    sa.Column("held_until", sa.BigInteger),
    sa.Column("hold_step", sa.Integer),
)

instances = sa.Table(
    "instances",
    metadata,
    sa.Column("name", sa.String(63), primary_key=True),
    sa.Column("seen_at", sa.BigInteger, nullable=False),
)
