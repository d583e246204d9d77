"""What conditions with time and forecasts need of a batch; running ones come first."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    for column in (
        sa.Column("parked_calls", sa.BigInteger(), nullable=True),
        sa.Column("live_calls", sa.BigInteger(), nullable=True),
        sa.Column("counted", sa.Boolean(), nullable=True),
        sa.Column("schedule", sa.Text(), nullable=True),
        sa.Column("begun_until", sa.BigInteger(), nullable=True),
        sa.Column("stalled_at", sa.BigInteger(), nullable=True),
        sa.Column("overdue_at", sa.BigInteger(), nullable=True),
        sa.Column("course", sa.Text(), nullable=True),
    ):
        op.add_column("batches", column)
    # What waits again ran before: its old start is not overdue.
    op.execute(
        "UPDATE batches SET begun_until = phase_since"
        " WHERE phase = 'pending' AND started_at IS NOT NULL"
    )
    running = sa.text("phase = 'running' AND next_poll_at IS NOT NULL")
    op.create_index(
        "ix_batches_running",
        "batches",
        ["source", "next_poll_at"],
        sqlite_where=running,
        postgresql_where=running,
    )
