"""The one definition of the tables, for SQLite and Postgres.

Executions and attempts are written several times a second per job, so their rows are narrow, their columns of fixed
width come first (Postgres pads less), they have few indexes, and no foreign keys (each would lock a job's row for every
insert; a job's row goes last, when it has no executions any more). Every instant is an `Instant`, every `_us` column
microseconds.

The conditions of partial indexes (``KEPT`` and the like) are there for queries to use as they are: with a parameter
in place of the literal, no database would know that the index serves.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    event,
    false,
    literal_column,
)

from cronhook_core.backends.sql.types import Instant, JsonText, Key, Tags

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _partial_index(name: str, *columns: Column[Any], where: ColumnElement[bool], unique: bool = False) -> None:
    Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


workspaces = Table(
    "workspaces",
    metadata,
    Column("created_at", Instant, nullable=False),
    Column("max_jobs", Integer),
    Column("id", Key, primary_key=True),
    Column("name", Key, nullable=False, unique=True),
    Column("open_jobs_bound", Integer),
    Column("queued_bound", Integer),
    Column("stored_bytes_bound", BigInteger, nullable=False, server_default="0"),
    Column("stored_bytes_counted_at", Instant),
    Column("records_since", Instant),
    Column("records_kept", Integer, nullable=False, server_default="0"),
)
"""``open_jobs_bound``: no more than so many of its jobs are in `open_jobs`; null: not known.

Whoever opens a job under a limit holds the workspace's row, and adds to it; without a limit it becomes null. Whoever
ends a job leaves it alone, as many jobs of a workspace end at once. So jobs are counted only where the bound is null or
has reached the limit, and that makes it exact again. ``queued_bound`` is the same for rows of `open_executions` that
have its id as their ``manual_workspace_id``.

``stored_bytes_bound``: its jobs that are not deleted take no more bytes. Whoever creates or changes a job holds the
workspace's row and adds the difference. Whoever removes old jobs leaves the bound alone; it is made exact where it
reaches the limit, at most once a minute, as there may be millions of jobs to look at. ``stored_bytes_counted_at`` is
when that was done last.

``records_since`` and ``records_kept``: see `cronhook_core.domain.idempotency.DayCount`.
"""

api_keys = Table(
    "api_keys",
    metadata,
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
    Column("last_used_at", Instant),
    Column("id", Key, primary_key=True),
    Column("workspace_id", Key, ForeignKey("workspaces.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("prefix", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("scopes", JsonText, nullable=False),
)

signing_secret_versions = Table(
    "signing_secret_versions",
    metadata,
    Column("workspace_id", Key, ForeignKey("workspaces.id"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
)

jobs = Table(
    "jobs",
    metadata,
    Column("next_run", Instant),
    Column("planned_through", Instant),
    Column("run_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("deleted_at", Instant),
    Column("timeout_us", BigInteger, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("stored_bytes", Integer, nullable=False, server_default="0"),
    Column("id", Key, primary_key=True),
    Column("workspace_id", Key, ForeignKey("workspaces.id"), nullable=False),
    Column("status", Key, nullable=False),
    Column("inactive_reason", Key),
    Column("host", Key, nullable=False),
    Column("cron", Text),
    Column("timezone", Text),
    Column("name", Key, nullable=False),
    Column("callback_url", Text, nullable=False),
    Column("retry_delays_seconds", JsonText, nullable=False),
    Column("headers", JsonText, nullable=False),
    Column("tags", Tags, nullable=False),
    Column("metadata", JsonText, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    # No column that a plan or an end writes is part of an index: with room left in its page every update is heap-only.
    postgresql_with={"fillfactor": "50"},
)
KEPT = jobs.c.deleted_at.is_(None)
_partial_index("ix_jobs_workspace_id_id", jobs.c.workspace_id, jobs.c.id, where=KEPT)

timetable = Table(
    "timetable",
    metadata,
    Column("next_run", Instant, nullable=False),
    Column("job_id", Key, nullable=False),
    PrimaryKeyConstraint("next_run", "job_id"),
    postgresql_with={"autovacuum_vacuum_scale_factor": "0.05"},
)
"""What is to be planned, in its order: a row for each active job that has a ``next_run``."""

open_jobs = Table(
    "open_jobs",
    metadata,
    Column("workspace_id", Key, nullable=False),
    Column("job_id", Key, nullable=False),
    PrimaryKeyConstraint("workspace_id", "job_id"),
)
"""What counts against the quota: a row for each job that is not inactive.

Whoever writes a job's status or ``next_run`` holds its row, and writes `timetable` and `open_jobs` too. They are the
indexes over what changes: rows of ``jobs`` are wide, and an update that is not heap-only goes into all their indexes.
"""

executions = Table(
    "executions",
    metadata,
    Column("scheduled_for", Instant, nullable=False),
    Column("available_at", Instant, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    Column("missed_from", Instant),
    Column("attempt_no", Integer, nullable=False),
    Column("releases", Integer, nullable=False),
    Column("missed_count", SmallInteger, nullable=False),
    Column("retries_used", SmallInteger, nullable=False),
    Column("losses", SmallInteger, nullable=False),
    Column("id", Key, primary_key=True),
    Column("job_id", Key, nullable=False),
    Column("workspace_id", Key, nullable=False),
    Column("host", Key, nullable=False),
    Column("trigger", Key, nullable=False),
    Column("status", Key, nullable=False),
    Column("reason", Key),
    Column("worker_id", Key),
    Index("ix_executions_job_id_id", "job_id", "id"),
    # No column that a transition writes is part of an index: with room left in its page every update is heap-only.
    postgresql_with={"autovacuum_vacuum_scale_factor": "0.05", "fillfactor": "50"},
)
SCHEDULED = executions.c.trigger == literal_column("'schedule'")
_partial_index(
    "uq_executions_job_id_scheduled_for", executions.c.job_id, executions.c.scheduled_for, where=SCHEDULED, unique=True
)

open_executions = Table(
    "open_executions",
    metadata,
    Column("available_at", Instant, nullable=False),
    Column("job_id", Key, nullable=False),
    Column("execution_id", Key, nullable=False),
    Column("manual_workspace_id", Key),
    PrimaryKeyConstraint("job_id", "execution_id"),
    Index("ix_open_executions_available_at", "available_at"),
    postgresql_with={"autovacuum_vacuum_scale_factor": "0.05"},
)
QUEUED_BY_USER = open_executions.c.manual_workspace_id.is_not(None)
_partial_index(
    "ix_open_executions_manual_workspace_id_job_id",
    open_executions.c.manual_workspace_id,
    open_executions.c.job_id,
    where=QUEUED_BY_USER,
)
"""What is not final: a row for each execution that is queued or running, until it ends.

These small rows, which come and go, carry the indexes over what changes, so that the long-lived ones of ``executions``
have none of them. A claim leaves them as they are: who looks for what is queued passes over what runs, which is never
much. ``manual_workspace_id`` is the workspace of an execution that a run or a replay queued, and null for one that a
schedule queued: only users' executions are bounded, and so only they are counted and are in the index for that.
"""

claims = Table(
    "claims",
    metadata,
    Column("started_at", Instant, nullable=False),
    Column("attempt_no", Integer, nullable=False),
    Column("execution_id", Key, nullable=False),
    Column("job_id", Key, nullable=False),
    Column("worker_id", Key, nullable=False),
    PrimaryKeyConstraint("execution_id", "attempt_no"),
    postgresql_with={"autovacuum_vacuum_scale_factor": "0.05"},
)
"""What runs, and who holds it: a row for each claim, which is all that is written of an attempt until it ends. There
are as many as workers have slots, so that those of one worker, or one job, are found by looking at them all.
"""

attempts = Table(
    "job_logs",
    metadata,
    Column("scheduled_for", Instant, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("finished_at", Instant, nullable=False),
    Column("next_attempt_at", Instant),
    Column("duration_us", BigInteger),
    Column("attempt_no", Integer, nullable=False),
    Column("response_status", SmallInteger),
    Column("late", Boolean, nullable=False, server_default=false()),
    Column("response_truncated", Boolean, nullable=False, server_default=false()),
    Column("execution_id", Key, nullable=False),
    Column("job_id", Key, nullable=False),
    Column("workspace_id", Key, nullable=False),
    Column("worker_id", Key, nullable=False),
    Column("outcome", Key, nullable=False),
    Column("error", Text),
    Column("response_headers", JsonText),
    Column("response_body", Text),
    PrimaryKeyConstraint("execution_id", "attempt_no"),
    Index("ix_job_logs_job_id_started_at", "job_id", "started_at"),
    postgresql_with={"autovacuum_vacuum_scale_factor": "0.05"},
)
"""The attempts that ended, each with its result, written once: only a result that comes late changes a row."""

workers = Table(
    "workers",
    metadata,
    Column("beat", BigInteger, nullable=False),
    Column("registered_at", Instant, nullable=False),
    Column("last_beat_at", Instant, nullable=False),
    Column("buried_at", Instant),
    Column("id", Key, primary_key=True),
    postgresql_with={"fillfactor": "50"},
)

idempotency_records = Table(
    "idempotency_records",
    metadata,
    Column("created_at", Instant, nullable=False),
    Column("payload_at", Integer),
    Column("status", SmallInteger, nullable=False),
    Column("workspace_id", Key, primary_key=True),
    Column("path", Key, primary_key=True),
    Column("key", Key, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("headers", JsonText, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index(None, "created_at"),
)

leases = Table(
    "leases",
    metadata,
    Column("granted_at", Instant),
    Column("expires_at", Instant, nullable=False),
    Column("name", Key, primary_key=True),
    Column("token", Key, nullable=False),
    postgresql_with={"fillfactor": "50"},
)

queue_messages = Table(
    "queue_messages",
    metadata,
    Column("seq", BigInteger, Identity(always=True), primary_key=True),
    Column("scheduled_for", Instant, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("execution_id", Key, nullable=False),
    Column("job_id", Key, nullable=False),
    Column("workspace_id", Key, nullable=False),
    Column("host", Key, nullable=False),
)
"""The hints of the queue where Postgres is the queue; nothing else writes or reads it. A crash may empty it."""
_unlog = DDL("ALTER TABLE %(fullname)s SET UNLOGGED")  # type: ignore[no-untyped-call]
event.listen(queue_messages, "after_create", _unlog.execute_if(dialect="postgresql"))

meta = Table(
    "meta",
    metadata,
    Column("key", Key, primary_key=True),
    Column("value", Text, nullable=False),
)
"""Single facts of the installation."""
PROBE = "probe"
"""The key of what is written to see whether anything can be."""
ZONE_RULES = "zone_rules"
"""The key of the version of the time zone database that ``next_run`` was last computed by."""
BELIEVED_CLOCK = "believed_clock"
"""The key of the instant, in ISO 8601, at which a leader last believed its clock."""
