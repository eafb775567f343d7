"""An index of what a job has queued."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

QUEUED = sa.text("status = 'queued'")


def upgrade() -> None:
    op.create_index(
        "ix_executions_job_id_queued", "executions", ["job_id"], sqlite_where=QUEUED, postgresql_where=QUEUED
    )
