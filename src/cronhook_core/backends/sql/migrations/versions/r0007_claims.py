"""What runs in a table of its own: a claim writes nothing that an index of what is open is over."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "claims",
        sa.Column("attempt_no", sa.Integer, nullable=False),
        sa.Column("execution_id", KEY, nullable=False),
        sa.Column("worker_id", KEY, nullable=False),
        sa.PrimaryKeyConstraint("execution_id", "attempt_no", name="pk_claims"),
        postgresql_with={"autovacuum_vacuum_scale_factor": "0.05"},
    )
    if op.get_bind().dialect.name == "postgresql":  # or what is claimed meanwhile would be missing
        op.execute("LOCK TABLE executions, open_executions IN ACCESS EXCLUSIVE MODE")
    op.execute(
        """
        INSERT INTO claims (execution_id, attempt_no, worker_id)
        SELECT e.id, e.attempt_no, o.worker_id
        FROM open_executions o JOIN executions e ON e.id = o.execution_id
        WHERE o.worker_id IS NOT NULL
        """
    )
    for name in ("ix_open_executions_queued", "ix_open_executions_running"):
        op.drop_index(name, "open_executions")
    op.drop_column("open_executions", "worker_id")
    op.create_index("ix_open_executions_available_at", "open_executions", ["available_at"])
