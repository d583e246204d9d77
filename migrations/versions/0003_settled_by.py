"""By what an end was believed, and what a source's first complete round of discovery found."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("batches", sa.Column("settled_by", sa.String(length=16), nullable=True))
    op.add_column("batches", sa.Column("found_first", sa.Boolean(), nullable=True))
    op.add_column("sources", sa.Column("listed_at", sa.BigInteger(), nullable=True))
    # The end of a batch that had ended when it was discovered was never told: that stays so.
    op.execute(
        "UPDATE batches SET found_first = TRUE WHERE origin = 'discovered' AND born_final = TRUE"
    )
    op.execute(
        "UPDATE sources SET listed_at = 0"
        " WHERE name IN (SELECT source FROM batches WHERE origin = 'discovered')"
    )
    # Ends that were never told because calls stayed open come late.
    op.execute("UPDATE batches SET born_final = TRUE WHERE phase = 'ended' AND settled_at IS NULL")
