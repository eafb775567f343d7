"""A bound on how many jobs of a workspace are open: they are not counted for each new one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("workspaces", sa.Column("open_jobs_bound", sa.Integer))
