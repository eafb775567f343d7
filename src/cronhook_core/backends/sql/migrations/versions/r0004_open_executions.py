"""What is queued or running in a table of its own, so that the indexes over what changes leave the executions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

INSTANT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")
KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
REPLACED = (
    "ix_executions_queued",
    "ix_executions_running",
    "ix_executions_job_id_queued",
    "ix_executions_finished_at",
)


def upgrade() -> None:
    op.create_table(
        "open_executions",
        sa.Column("available_at", INSTANT, nullable=False),
        sa.Column("job_id", KEY, nullable=False),
        sa.Column("execution_id", KEY, nullable=False),
        sa.Column("worker_id", KEY),
        sa.PrimaryKeyConstraint("job_id", "execution_id", name="pk_open_executions"),
        postgresql_with={"autovacuum_vacuum_scale_factor": "0.05"},
    )
    if op.get_bind().dialect.name == "postgresql":  # or what is queued meanwhile would be missing
        op.execute("LOCK TABLE executions IN ACCESS EXCLUSIVE MODE")
    op.execute(
        """
        INSERT INTO open_executions (available_at, job_id, execution_id, worker_id)
        SELECT available_at, job_id, id, CASE WHEN status = 'running' THEN worker_id END
        FROM executions WHERE status IN ('queued', 'running')
        """
    )
    _create_index("ix_open_executions_queued", "available_at", where="worker_id IS NULL")
    _create_index("ix_open_executions_running", "worker_id", where="worker_id IS NOT NULL")
    for name in REPLACED:
        op.drop_index(name, "executions")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE executions SET (fillfactor = 50)")
        op.execute("ALTER TABLE job_logs SET (fillfactor = 40)")


def _create_index(name: str, column: str, *, where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, "open_executions", [column], sqlite_where=condition, postgresql_where=condition)
