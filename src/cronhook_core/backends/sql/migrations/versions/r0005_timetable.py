"""What is to be planned, and what counts, in tables of their own: the indexes over what changes leave the jobs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

INSTANT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")
KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "timetable",
        sa.Column("next_run", INSTANT, nullable=False),
        sa.Column("job_id", KEY, nullable=False),
        sa.PrimaryKeyConstraint("next_run", "job_id", name="pk_timetable"),
        postgresql_with={"autovacuum_vacuum_scale_factor": "0.05"},
    )
    op.create_table(
        "open_jobs",
        sa.Column("workspace_id", KEY, nullable=False),
        sa.Column("job_id", KEY, nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "job_id", name="pk_open_jobs"),
    )
    if op.get_bind().dialect.name == "postgresql":  # or what is stored meanwhile would be missing
        op.execute("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE")
    op.execute(
        """
        INSERT INTO timetable (next_run, job_id)
        SELECT next_run, id FROM jobs WHERE status = 'active' AND next_run IS NOT NULL
        """
    )
    op.execute(
        "INSERT INTO open_jobs (workspace_id, job_id) SELECT workspace_id, id FROM jobs WHERE status <> 'inactive'"
    )
    for name in ("ix_jobs_next_run", "ix_jobs_counted"):
        op.drop_index(name, "jobs")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE jobs SET (fillfactor = 50)")
