"""What schedulers and workers read, on a connection within one transaction.

What they read every second though nothing happens is stated once: SQLAlchemy takes longer to put a statement together
and to recognize it than SQLite to answer it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, Integer, and_, bindparam, func, or_, select

from cronhook_core.backends.sql import rows
from cronhook_core.backends.sql.tables import (
    KEPT,
    ZONE_RULES,
    claims,
    executions,
    jobs,
    meta,
    open_executions,
    timetable,
    workers,
)
from cronhook_core.backends.sql.types import Instant
from cronhook_core.domain.claim import ClaimRef
from cronhook_core.domain.execution import SUSPECT_LOSSES, ExecutionStatus, QueueMessage, Trigger
from cronhook_core.domain.job import JobStatus
from cronhook_core.domain.planning import DueJob
from cronhook_core.domain.worker_life import WorkerBeat

_ALLOWED = and_(
    KEPT,
    or_(jobs.c.status != JobStatus.PAUSED, executions.c.trigger != Trigger.SCHEDULE),
)

_OPEN = open_executions.join(executions, executions.c.id == open_executions.c.execution_id)
_LIMIT = bindparam("limit", type_=Integer)
_NOW = bindparam("now", type_=Instant)
_DUE_JOBS = select(
    jobs.c.id,
    jobs.c.workspace_id,
    jobs.c.host,
    jobs.c.revision,
    jobs.c.cron,
    jobs.c.timezone,
    jobs.c.run_at,
    jobs.c.next_run,
    jobs.c.planned_through,
    jobs.c.updated_at,
)

_DUE_BY_TIMETABLE = (
    _DUE_JOBS.select_from(timetable.join(jobs, jobs.c.id == timetable.c.job_id))
    .where(timetable.c.next_run <= _NOW, jobs.c.status == JobStatus.ACTIVE, jobs.c.next_run == timetable.c.next_run)
    .order_by(timetable.c.next_run)
    .limit(_LIMIT)
)
_READY = (
    select(
        executions.c.id,
        executions.c.job_id,
        executions.c.workspace_id,
        executions.c.host,
        executions.c.scheduled_for,
        executions.c.attempt_no,
    )
    .select_from(_OPEN)
    .join(jobs, jobs.c.id == open_executions.c.job_id)
    .where(executions.c.status == ExecutionStatus.QUEUED, open_executions.c.available_at <= _NOW, _ALLOWED)
    .order_by(open_executions.c.available_at)
    .limit(_LIMIT)
)
_READY_SINCE = _READY.where(open_executions.c.available_at > bindparam("after", type_=Instant))
_NEXT_RUN = select(func.min(timetable.c.next_run))
_NEXT_AVAILABLE = (
    select(open_executions.c.available_at)
    .select_from(_OPEN)
    .where(executions.c.status == ExecutionStatus.QUEUED, open_executions.c.available_at > _NOW)
    .order_by(open_executions.c.available_at)
    .limit(1)
)
_HELD = select(claims.c.execution_id, claims.c.attempt_no)
_HELD_BY = _HELD.where(claims.c.worker_id == bindparam("worker_id"))
_OWNER_LIVES = select(workers.c.id).where(workers.c.id == claims.c.worker_id, workers.c.buried_at.is_(None)).exists()
_ABANDONED = _HELD.where(~_OWNER_LIVES).limit(_LIMIT)
_WORKER_BEATS = select(workers.c.id, workers.c.beat).where(workers.c.buried_at.is_(None))


def due_jobs(connection: Connection, now: datetime, limit: int) -> list[DueJob]:
    """In the order of the timetable; the jobs have the last word."""
    due = connection.execute(_DUE_BY_TIMETABLE, {"now": now, "limit": limit})
    return [rows.due_job_from(row) for row in due]


def upcoming_cron_jobs(connection: Connection, now: datetime, limit: int, after_id: str | None) -> list[DueJob]:
    coming = (jobs.c.status == JobStatus.ACTIVE, jobs.c.next_run > now, jobs.c.cron.is_not(None))
    query = _DUE_JOBS.where(*coming).order_by(jobs.c.id).limit(limit)
    if after_id is not None:
        query = query.where(jobs.c.id > after_id)
    return [rows.due_job_from(row) for row in connection.execute(query)]


def zone_rules(connection: Connection) -> str | None:
    return connection.execute(select(meta.c.value).where(meta.c.key == ZONE_RULES)).scalar_one_or_none()


def ready(
    connection: Connection,
    now: datetime,
    limit: int,
    skip_hosts: Sequence[str],
    skip_workspaces: Sequence[str],
    with_suspects: bool,
    after: datetime | None,
) -> list[QueueMessage]:
    query = _READY if after is None else _READY_SINCE
    if skip_hosts:
        query = query.where(executions.c.host.not_in(skip_hosts))
    if skip_workspaces:
        query = query.where(executions.c.workspace_id.not_in(skip_workspaces))
    if not with_suspects:
        query = query.where(executions.c.losses < SUSPECT_LOSSES)
    asked = {"now": now, "limit": limit, "after": after}
    return [rows.message_from(row) for row in connection.execute(query, asked)]


def next_due(connection: Connection, now: datetime) -> datetime | None:
    found = [connection.execute(query, {"now": now}).scalar() for query in (_NEXT_RUN, _NEXT_AVAILABLE)]
    return min((instant for instant in found if instant is not None), default=None)


def running(connection: Connection, worker_id: str) -> list[ClaimRef]:
    return [rows.claim_ref_from(row) for row in connection.execute(_HELD_BY, {"worker_id": worker_id})]


def abandoned(connection: Connection, limit: int) -> list[ClaimRef]:
    """The claims of workers that are not alive."""
    return [rows.claim_ref_from(row) for row in connection.execute(_ABANDONED, {"limit": limit})]


def worker_beats(connection: Connection) -> list[WorkerBeat]:
    return [WorkerBeat(worker_id=row.id, beat=row.beat) for row in connection.execute(_WORKER_BEATS)]
