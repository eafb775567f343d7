"""A table for the queue of installations that have Postgres and no Redis."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "queue_messages",
        sa.Column("seq", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("scheduled_for", sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite"), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("execution_id", KEY, nullable=False),
        sa.Column("job_id", KEY, nullable=False),
        sa.Column("workspace_id", KEY, nullable=False),
        sa.Column("host", KEY, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_queue_messages"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE queue_messages SET UNLOGGED")
