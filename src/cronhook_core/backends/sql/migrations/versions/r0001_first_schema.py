"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

INSTANT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")
KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    _create_accounts()
    _create_jobs()
    _create_what_is_open()
    _create_executions()
    _create_job_logs()
    _create_workers()
    _create_idempotency_records()
    _create_queue_messages()
    _create_leases_and_meta()


def _create_accounts() -> None:
    op.create_table(
        "workspaces",
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("max_jobs", sa.Integer),
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", KEY, nullable=False),
        sa.Column("open_jobs_bound", sa.Integer),
        sa.Column("queued_bound", sa.Integer),
        sa.Column("stored_bytes_bound", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("stored_bytes_counted_at", INSTANT),
        sa.Column("records_since", INSTANT),
        sa.Column("records_kept", sa.Integer, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("id", name="pk_workspaces"),
        sa.UniqueConstraint("name", name="uq_workspaces_name"),
    )
    op.create_table(
        "api_keys",
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT),
        sa.Column("revoked_at", INSTANT),
        sa.Column("last_used_at", INSTANT),
        sa.Column("id", KEY, nullable=False),
        sa.Column("workspace_id", KEY, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("prefix", sa.Text, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_api_keys_workspace_id_workspaces"),
        sa.UniqueConstraint("digest", name="uq_api_keys_digest"),
    )
    op.create_index("ix_api_keys_workspace_id", "api_keys", ["workspace_id"])
    op.create_table(
        "signing_secret_versions",
        sa.Column("workspace_id", KEY, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT),
        sa.PrimaryKeyConstraint("workspace_id", "version", name="pk_signing_secret_versions"),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name="fk_signing_secret_versions_workspace_id_workspaces"
        ),
    )


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("next_run", INSTANT),
        sa.Column("planned_through", INSTANT),
        sa.Column("run_at", INSTANT),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("deleted_at", INSTANT),
        sa.Column("timeout_us", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("stored_bytes", sa.Integer, nullable=False, server_default="0"),
        sa.Column("id", KEY, nullable=False),
        sa.Column("workspace_id", KEY, nullable=False),
        sa.Column("status", KEY, nullable=False),
        sa.Column("inactive_reason", KEY),
        sa.Column("host", KEY, nullable=False),
        sa.Column("cron", sa.Text),
        sa.Column("timezone", sa.Text),
        sa.Column("name", KEY, nullable=False),
        sa.Column("callback_url", sa.Text, nullable=False),
        sa.Column("retry_delays_seconds", sa.Text, nullable=False),
        sa.Column("headers", sa.Text, nullable=False),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("metadata", sa.Text, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_jobs_workspace_id_workspaces"),
        postgresql_with={"fillfactor": "50"},
    )
    _create_index("ix_jobs_workspace_id_id", "jobs", ["workspace_id", "id"], where="deleted_at IS NULL")


def _create_what_is_open() -> None:
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
    op.create_table(
        "open_executions",
        sa.Column("available_at", INSTANT, nullable=False),
        sa.Column("job_id", KEY, nullable=False),
        sa.Column("execution_id", KEY, nullable=False),
        sa.Column("manual_workspace_id", KEY),
        sa.PrimaryKeyConstraint("job_id", "execution_id", name="pk_open_executions"),
        postgresql_with={"autovacuum_vacuum_scale_factor": "0.05"},
    )
    op.create_index("ix_open_executions_available_at", "open_executions", ["available_at"])
    _create_index(
        "ix_open_executions_manual_workspace_id_job_id",
        "open_executions",
        ["manual_workspace_id", "job_id"],
        where="manual_workspace_id IS NOT NULL",
    )
    op.create_table(
        "claims",
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("attempt_no", sa.Integer, nullable=False),
        sa.Column("execution_id", KEY, nullable=False),
        sa.Column("job_id", KEY, nullable=False),
        sa.Column("worker_id", KEY, nullable=False),
        sa.PrimaryKeyConstraint("execution_id", "attempt_no", name="pk_claims"),
        postgresql_with={"autovacuum_vacuum_scale_factor": "0.05"},
    )


def _create_executions() -> None:
    op.create_table(
        "executions",
        sa.Column("scheduled_for", INSTANT, nullable=False),
        sa.Column("available_at", INSTANT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("started_at", INSTANT),
        sa.Column("finished_at", INSTANT),
        sa.Column("missed_from", INSTANT),
        sa.Column("attempt_no", sa.Integer, nullable=False),
        sa.Column("releases", sa.Integer, nullable=False),
        sa.Column("missed_count", sa.SmallInteger, nullable=False),
        sa.Column("retries_used", sa.SmallInteger, nullable=False),
        sa.Column("losses", sa.SmallInteger, nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.Column("job_id", KEY, nullable=False),
        sa.Column("workspace_id", KEY, nullable=False),
        sa.Column("host", KEY, nullable=False),
        sa.Column("trigger", KEY, nullable=False),
        sa.Column("status", KEY, nullable=False),
        sa.Column("reason", KEY),
        sa.Column("worker_id", KEY),
        sa.PrimaryKeyConstraint("id", name="pk_executions"),
        postgresql_with={"autovacuum_vacuum_scale_factor": "0.05", "fillfactor": "50"},
    )
    _create_index(
        "uq_executions_job_id_scheduled_for",
        "executions",
        ["job_id", "scheduled_for"],
        where="\"trigger\" = 'schedule'",
        unique=True,
    )
    op.create_index("ix_executions_job_id_id", "executions", ["job_id", "id"])


def _create_job_logs() -> None:
    op.create_table(
        "job_logs",
        sa.Column("scheduled_for", INSTANT, nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("finished_at", INSTANT, nullable=False),
        sa.Column("next_attempt_at", INSTANT),
        sa.Column("duration_us", sa.BigInteger),
        sa.Column("attempt_no", sa.Integer, nullable=False),
        sa.Column("response_status", sa.SmallInteger),
        sa.Column("late", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("response_truncated", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("execution_id", KEY, nullable=False),
        sa.Column("job_id", KEY, nullable=False),
        sa.Column("workspace_id", KEY, nullable=False),
        sa.Column("worker_id", KEY, nullable=False),
        sa.Column("outcome", KEY, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("response_headers", sa.Text),
        sa.Column("response_body", sa.Text),
        sa.PrimaryKeyConstraint("execution_id", "attempt_no", name="pk_job_logs"),
        postgresql_with={"autovacuum_vacuum_scale_factor": "0.05"},
    )
    op.create_index("ix_job_logs_job_id_started_at", "job_logs", ["job_id", "started_at"])


def _create_workers() -> None:
    op.create_table(
        "workers",
        sa.Column("beat", sa.BigInteger, nullable=False),
        sa.Column("registered_at", INSTANT, nullable=False),
        sa.Column("last_beat_at", INSTANT, nullable=False),
        sa.Column("buried_at", INSTANT),
        sa.Column("id", KEY, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workers"),
        postgresql_with={"fillfactor": "50"},
    )


def _create_idempotency_records() -> None:
    op.create_table(
        "idempotency_records",
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("payload_at", sa.Integer),
        sa.Column("status", sa.SmallInteger, nullable=False),
        sa.Column("workspace_id", KEY, nullable=False),
        sa.Column("path", KEY, nullable=False),
        sa.Column("key", KEY, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("headers", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "path", "key", name="pk_idempotency_records"),
    )
    op.create_index("ix_idempotency_records_created_at", "idempotency_records", ["created_at"])


def _create_queue_messages() -> None:
    op.create_table(
        "queue_messages",
        sa.Column("seq", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("scheduled_for", INSTANT, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("execution_id", KEY, nullable=False),
        sa.Column("job_id", KEY, nullable=False),
        sa.Column("workspace_id", KEY, nullable=False),
        sa.Column("host", KEY, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_queue_messages"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE queue_messages SET UNLOGGED")


def _create_leases_and_meta() -> None:
    op.create_table(
        "leases",
        sa.Column("granted_at", INSTANT),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("name", KEY, nullable=False),
        sa.Column("token", KEY, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
        postgresql_with={"fillfactor": "50"},
    )
    op.create_table(
        "meta",
        sa.Column("key", KEY, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_meta"),
    )


def _create_index(name: str, table: str, columns: list[str], *, where: str, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)
