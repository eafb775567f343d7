"""The writes of `JobCatalog`, on a connection within one transaction.

Rows are locked in one order everywhere: the workspace, then the job, then executions. SQLite, which has no row locks,
runs each of these transactions alone.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from cronhook_core.backends.sql import reads, rows
from cronhook_core.backends.sql.idempotency import keep_answer, refuse_repeat
from cronhook_core.backends.sql.room import Room
from cronhook_core.backends.sql.tables import (
    KEPT,
    SCHEDULED,
    executions,
    jobs,
    open_executions,
    open_jobs,
    timetable,
)
from cronhook_core.domain.execution import Execution, ExecutionStatus
from cronhook_core.domain.idempotency import IdempotentRequest
from cronhook_core.domain.job import Job, JobStatus
from cronhook_core.domain.queue_bounds import QueueBounds
from cronhook_core.domain.transitions import CANCELLED_BY_USER, JobState, cancelled, job_end_by_user
from cronhook_core.errors import NotFound
from cronhook_core.ports.job_catalog import CancelQueued

_SAME_JOB = select(jobs.c.id).where(jobs.c.id == bindparam("same_id"))
_INSERT_JOB = insert(jobs)
_OPEN_JOB = insert(open_jobs)
_TO_BE_PLANNED = insert(timetable)
_OPEN = (ExecutionStatus.QUEUED, ExecutionStatus.RUNNING)


def create_job(
    connection: Connection,
    job: Job,
    max_jobs: int | None,
    max_stored_bytes: int | None,
    now: datetime,
    idempotency: IdempotentRequest | None,
) -> None:
    room = Room.lock(connection, job.workspace_id)
    if room is None:
        raise NotFound("workspace", job.workspace_id)
    if connection.execute(_SAME_JOB, {"same_id": job.id}).one_or_none() is not None:
        return
    refuse_repeat(connection, job.workspace_id, idempotency, now)
    if job.counts_against_quota:
        room.for_open_job(max_jobs)
    room.for_bytes(job.counted_bytes, max_stored_bytes)
    room.for_answer(idempotency, now)
    room.take()
    connection.execute(_INSERT_JOB, rows.job_values(job))
    _relist(connection, None, JobState.of(job))
    keep_answer(connection, job.workspace_id, idempotency, job, now)


def change_job(
    connection: Connection,
    job: Job,
    expected: Job,
    cancel: CancelQueued | None,
    max_jobs: int | None,
    max_stored_bytes: int | None,
    now: datetime,
    idempotency: IdempotentRequest | None,
) -> bool:
    room = Room.lock(connection, expected.workspace_id)
    refuse_repeat(connection, expected.workspace_id, idempotency, now)
    stored = _lock_job(connection, expected.workspace_id, expected.id)
    if room is None or stored is None or (stored.revision, stored.next_run) != (expected.revision, expected.next_run):
        return False
    if job.counts_against_quota and stored.status is JobStatus.INACTIVE:
        room.for_open_job(max_jobs)
    room.for_bytes(job.counted_bytes - expected.counted_bytes, max_stored_bytes)
    room.for_answer(idempotency, now)
    room.take()
    connection.execute(update(jobs).where(jobs.c.id == job.id).values(rows.job_values(job)))
    _relist(connection, stored, JobState.of(job))
    if cancel is not None:
        cancel_queued(connection, job.id, cancel, now)
    keep_answer(connection, job.workspace_id, idempotency, job, now)
    return True


def add_execution(
    connection: Connection,
    execution: Execution,
    bounds: QueueBounds,
    now: datetime,
    idempotency: IdempotentRequest | None,
) -> None:
    room = Room.lock(connection, execution.workspace_id)
    refuse_repeat(connection, execution.workspace_id, idempotency, now)
    if room is None or _lock_job(connection, execution.workspace_id, execution.job_id) is None:
        raise NotFound("job", execution.job_id)
    if reads.get_execution(connection, execution.workspace_id, execution.id) is not None:
        return
    room.for_queued(execution.job_id, bounds)
    room.for_answer(idempotency, now)
    room.take()
    connection.execute(insert(executions).values(rows.execution_values(execution)))
    connection.execute(insert(open_executions).values(rows.open_execution_values(execution)))
    keep_answer(connection, execution.workspace_id, idempotency, execution, now)


def cancel_execution(
    connection: Connection,
    workspace_id: str,
    execution_id: str,
    now: datetime,
    idempotency: IdempotentRequest | None,
) -> Execution | None:
    room = Room.lock(connection, workspace_id)
    refuse_repeat(connection, workspace_id, idempotency, now)
    found = reads.get_execution(connection, workspace_id, execution_id)
    job = None if found is None else _lock_job(connection, workspace_id, found.job_id)
    execution = None if job is None else _lock_queued(connection, execution_id)
    if room is None or job is None or execution is None:
        return None
    room.for_answer(idempotency, now)
    room.take()
    after = cancelled(execution, CANCELLED_BY_USER, now)
    connection.execute(update(executions).where(executions.c.id == execution_id).values(rows.execution_values(after)))
    own = (open_executions.c.job_id == job.id, open_executions.c.execution_id == execution_id)
    connection.execute(delete(open_executions).where(*own))
    job_end = job_end_by_user(execution, job)
    if job_end is not None:
        connection.execute(update(jobs).where(jobs.c.id == job.id).values(ended_values(job.ended(job_end), now)))
        _relist(connection, job, job.ended(job_end))
    keep_answer(connection, workspace_id, idempotency, after, now)
    return after


def cancel_queued(connection: Connection, job_id: str, cancel: CancelQueued, now: datetime) -> None:
    """End the job's queued executions; its row is locked."""
    open_ones = select(open_executions.c.execution_id).where(open_executions.c.job_id == job_id)
    ends = update(executions).where(executions.c.id.in_(open_ones), executions.c.status == ExecutionStatus.QUEUED)
    if not cancel.manual_too:
        ends = ends.where(SCHEDULED)
    connection.execute(ends.values(cancelled_values(cancel.reason, now)))
    _close(connection, job_id)


def _close(connection: Connection, job_id: str) -> None:
    """Executions of the job that are final now are not open any more."""
    own = executions.c.id == open_executions.c.execution_id
    still_open = select(executions.c.id).where(own, executions.c.status.in_(_OPEN)).exists()
    connection.execute(delete(open_executions).where(open_executions.c.job_id == job_id, ~still_open))


def _relist(connection: Connection, before: JobState | None, after: JobState) -> None:
    """Where the job is listed: to be planned, and as one that counts. ``before`` None: it is new.

    Only what differs is written. A statement that ends the job may wait for us with an older snapshot; then it has to
    find the row that it sees.
    """
    was_at, is_at = before and before.planned_at, after.planned_at
    if was_at is not None and was_at != is_at:
        to_be_planned = (timetable.c.next_run == was_at, timetable.c.job_id == after.id)
        connection.execute(delete(timetable).where(*to_be_planned))
    if is_at is not None and was_at != is_at:
        connection.execute(_TO_BE_PLANNED, {"next_run": is_at, "job_id": after.id})
    was_open = before is not None and before.is_open
    if was_open and not after.is_open:
        counted = (open_jobs.c.workspace_id == after.workspace_id, open_jobs.c.job_id == after.id)
        connection.execute(delete(open_jobs).where(*counted))
    if after.is_open and not was_open:
        connection.execute(_OPEN_JOB, {"workspace_id": after.workspace_id, "job_id": after.id})


def cancelled_values(reason: str, now: datetime) -> rows.Values:
    """What `transitions.cancelled` changes of an execution."""
    return {"status": ExecutionStatus.CANCELLED, "reason": reason, "worker_id": None, "finished_at": now}


def ended_values(ended: JobState, now: datetime) -> rows.Values:
    """What `JobState.ended` changed of a job."""
    return {
        "status": ended.status,
        "inactive_reason": ended.inactive_reason,
        "next_run": ended.next_run,
        "revision": ended.revision,
        "updated_at": now,
    }


def _lock_job(connection: Connection, workspace_id: str, job_id: str) -> JobState | None:
    """The job's state; None when it is absent, deleted or foreign."""
    query = select(*rows.JOB_STATE_COLUMNS).where(jobs.c.id == job_id, jobs.c.workspace_id == workspace_id, KEPT)
    row = connection.execute(query.with_for_update()).one_or_none()
    return None if row is None else rows.job_state_from(row)


def _lock_queued(connection: Connection, execution_id: str) -> Execution | None:
    query = select(executions).where(executions.c.id == execution_id, executions.c.status == ExecutionStatus.QUEUED)
    row = connection.execute(query.with_for_update()).one_or_none()
    return None if row is None else rows.execution_from(row)
