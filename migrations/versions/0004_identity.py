"""One batch for one UUID, however it is written; many batches delay neither start nor stop."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_HEX = "[0-9a-fA-F]"
_PLAIN, _DASHED = _HEX * 32, "-".join(_HEX * digits for digits in (8, 4, 4, 4, 12))
_IS_UUID = {
    "sqlite": f"external_id GLOB '{_PLAIN}' OR external_id GLOB '{_DASHED}'",
    "postgresql": "external_id ~* '^([0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$'",
}


def upgrade() -> None:
    op.add_column("batches", sa.Column("identity", sa.String(length=256), nullable=True))
    op.execute("UPDATE batches SET identity = external_id")
    op.execute(
        "UPDATE batches SET identity = lower(replace(external_id, '-', ''))"  # noqa: S608 (ours)
        f" WHERE {_IS_UUID[op.get_bind().dialect.name]}"
    )
    # Of one batch that was watched in two notations one goes on: it was told twice. Rather one that
    # was read: the provider may know but that notation. Its own the others leave to it.
    op.execute(
        "UPDATE batches SET identity = external_id || ' (twice)',"
        " external_id = external_id || ' (twice)', watched = FALSE, next_poll_at = NULL,"
        " due_at = NULL, lease_owner = NULL, epoch = epoch + 1 WHERE id IN (SELECT id FROM"
        " (SELECT id, row_number() OVER (PARTITION BY source, identity"
        " ORDER BY watched DESC, CASE WHEN observed_at IS NULL THEN 1 ELSE 0 END, id)"
        " AS place FROM batches) AS ranked WHERE place > 1)"
    )
    op.create_index("uq_batches_source_identity", "batches", ["source", "identity"], unique=True)
    op.add_column("sources", sa.Column("planned_ahead", sa.Boolean(), nullable=True))
    for name, table, column, condition in (
        ("ix_batches_unidentified", "batches", "id", "identity IS NULL"),
        ("ix_batches_declared", "batches", "source", "origin = 'file' AND watched"),
        ("ix_batches_leased", "batches", "lease_owner", "lease_owner IS NOT NULL"),
        ("ix_deliveries_leased", "deliveries", "lease_owner", "lease_owner IS NOT NULL"),
    ):
        where = sa.text(condition)
        op.create_index(name, table, [column], sqlite_where=where, postgresql_where=where)
