"""Rows of jobs, executions and attempts become domain values here, and domain values rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Any

from attrs import evolve
from sqlalchemy import Row

from cronhook_core.backends.sql.tables import jobs
from cronhook_core.backends.sql.types import to_microseconds
from cronhook_core.domain.claim import Claim
from cronhook_core.domain.execution import Attempt, Execution, ExecutionStatus, Trigger
from cronhook_core.domain.idempotency import StoredAnswer
from cronhook_core.domain.job import InactiveReason, Job, JobDefinition, JobStatus
from cronhook_core.domain.planning import DueJob
from cronhook_core.domain.retry_policy import RetryPolicy
from cronhook_core.domain.schedule import CronSchedule, OneTimeSchedule, Schedule
from cronhook_core.domain.transitions import JobState
from cronhook_core.domain.webhook import Outcome

AnyRow = Row[*tuple[Any, ...]]
Values = dict[str, Any]


JOB_STATE_COLUMNS = (
    jobs.c.id.label("job_id"),
    jobs.c.workspace_id,
    jobs.c.status,
    jobs.c.inactive_reason,
    jobs.c.revision,
    jobs.c.next_run,
    jobs.c.planned_through,
    jobs.c.run_at,
    jobs.c.deleted_at,
)
"""What `job_state_from` needs."""
ATTEMPT_RESULT_COLUMNS = (
    "outcome",
    "late",
    "error",
    "response_status",
    "response_headers",
    "response_body",
    "response_truncated",
    "duration_us",
    "finished_at",
    "next_attempt_at",
)
"""What an attempt's end fills, of those that `attempt_values` gives."""
TARGET_COLUMNS = (
    jobs.c.host,
    jobs.c.callback_url,
    jobs.c.headers,
    jobs.c.timeout_us,
    jobs.c.retry_delays_seconds,
)
"""What `claim_of` needs, beside the payload."""


def schedule_from(row: AnyRow) -> Schedule:
    """Needs the columns ``cron``, ``timezone`` and ``run_at``."""
    return OneTimeSchedule(row.run_at) if row.cron is None else CronSchedule.stored(row.cron, row.timezone)


def schedule_values(schedule: Schedule) -> Values:
    if isinstance(schedule, OneTimeSchedule):
        return {"cron": None, "timezone": None, "run_at": schedule.run_at}
    return {"cron": schedule.expression, "timezone": schedule.timezone, "run_at": None}


def job_from(row: AnyRow) -> Job:
    """A row of ``jobs``; what is only read (``last_run`` and its status) is added by `with_last_run`."""
    return Job(
        id=row.id,
        workspace_id=row.workspace_id,
        definition=_definition_from(row),
        host=row.host,
        status=JobStatus(row.status),
        inactive_reason=None if row.inactive_reason is None else InactiveReason(row.inactive_reason),
        revision=row.revision,
        next_run=row.next_run,
        planned_through=row.planned_through,
        created_at=row.created_at,
        updated_at=row.updated_at,
        deleted_at=row.deleted_at,
    )


def with_last_run(job: Job, row: AnyRow) -> Job:
    """Needs the columns ``last_run`` and ``last_run_status``."""
    if row.last_run is None:
        return job
    return evolve(job, last_run=row.last_run, last_run_status=ExecutionStatus(row.last_run_status))


def job_values(job: Job) -> Values:
    definition = job.definition
    return {
        "id": job.id,
        "workspace_id": job.workspace_id,
        **schedule_values(definition.schedule),
        "name": definition.name,
        "callback_url": definition.callback_url,
        "headers": definition.headers,
        "payload": definition.payload,
        "timeout_us": to_microseconds(definition.timeout),
        "retry_delays_seconds": [delay.total_seconds() for delay in definition.retry_policy.delays],
        "tags": definition.tags,
        "metadata": definition.metadata,
        "host": job.host,
        "status": job.status,
        "inactive_reason": job.inactive_reason,
        "revision": job.revision,
        "stored_bytes": definition.stored_bytes,
        "next_run": job.next_run,
        "planned_through": job.planned_through,
        "created_at": job.created_at,
        "updated_at": job.updated_at,
        "deleted_at": job.deleted_at,
    }


def job_state_from(row: AnyRow) -> JobState:
    """Needs the columns `JOB_STATE_COLUMNS`."""
    return JobState(
        id=row.job_id,
        workspace_id=row.workspace_id,
        status=JobStatus(row.status),
        inactive_reason=None if row.inactive_reason is None else InactiveReason(row.inactive_reason),
        revision=row.revision,
        next_run=row.next_run,
        planned_through=row.planned_through,
        run_at=row.run_at,
        is_deleted=row.deleted_at is not None,
    )


def due_job_from(row: AnyRow) -> DueJob:
    return DueJob(
        id=row.id,
        workspace_id=row.workspace_id,
        host=row.host,
        revision=row.revision,
        schedule=schedule_from(row),
        next_run=row.next_run,
        planned_through=row.planned_through,
        updated_at=row.updated_at,
    )


def execution_from(row: AnyRow) -> Execution:
    return Execution(
        id=row.id,
        job_id=row.job_id,
        workspace_id=row.workspace_id,
        host=row.host,
        trigger=Trigger(row.trigger),
        scheduled_for=row.scheduled_for,
        status=ExecutionStatus(row.status),
        reason=row.reason,
        available_at=row.available_at,
        attempt_no=row.attempt_no,
        retries_used=row.retries_used,
        losses=row.losses,
        releases=row.releases,
        worker_id=row.worker_id,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        missed_count=row.missed_count,
        missed_from=row.missed_from,
    )


def execution_values(execution: Execution) -> Values:
    return {
        "id": execution.id,
        "job_id": execution.job_id,
        "workspace_id": execution.workspace_id,
        "host": execution.host,
        "trigger": execution.trigger,
        "scheduled_for": execution.scheduled_for,
        "status": execution.status,
        "reason": execution.reason,
        "available_at": execution.available_at,
        "attempt_no": execution.attempt_no,
        "retries_used": execution.retries_used,
        "losses": execution.losses,
        "releases": execution.releases,
        "worker_id": execution.worker_id,
        "created_at": execution.created_at,
        "started_at": execution.started_at,
        "finished_at": execution.finished_at,
        "missed_count": execution.missed_count,
        "missed_from": execution.missed_from,
    }


def open_execution_values(execution: Execution) -> Values:
    """Of an execution that is not final."""
    return {
        "available_at": execution.available_at,
        "job_id": execution.job_id,
        "execution_id": execution.id,
        "manual_workspace_id": None if execution.trigger is Trigger.SCHEDULE else execution.workspace_id,
    }


def claim_values(attempt: Attempt) -> Values:
    """Of an attempt that begins."""
    return {
        "execution_id": attempt.execution_id,
        "attempt_no": attempt.attempt_no,
        "job_id": attempt.job_id,
        "worker_id": attempt.worker_id,
        "started_at": attempt.started_at,
    }


def attempt_from(row: AnyRow) -> Attempt:
    return Attempt(
        execution_id=row.execution_id,
        job_id=row.job_id,
        workspace_id=row.workspace_id,
        attempt_no=row.attempt_no,
        scheduled_for=row.scheduled_for,
        worker_id=row.worker_id,
        started_at=row.started_at,
        outcome=None if row.outcome is None else Outcome(row.outcome),
        late=row.late,
        error=row.error,
        response_status=row.response_status,
        response_headers=_pairs(row.response_headers or ()),
        response_body=row.response_body,
        response_truncated=row.response_truncated,
        duration=None if row.duration_us is None else timedelta(microseconds=row.duration_us),
        finished_at=row.finished_at,
        next_attempt_at=row.next_attempt_at,
    )


def attempt_values(attempt: Attempt) -> Values:
    return {
        "execution_id": attempt.execution_id,
        "job_id": attempt.job_id,
        "workspace_id": attempt.workspace_id,
        "attempt_no": attempt.attempt_no,
        "scheduled_for": attempt.scheduled_for,
        "worker_id": attempt.worker_id,
        "started_at": attempt.started_at,
        "outcome": attempt.outcome,
        "late": attempt.late,
        "error": attempt.error,
        "response_status": attempt.response_status,
        "response_headers": attempt.response_headers or None,
        "response_body": attempt.response_body,
        "response_truncated": attempt.response_truncated,
        "duration_us": None if attempt.duration is None else to_microseconds(attempt.duration),
        "finished_at": attempt.finished_at,
        "next_attempt_at": attempt.next_attempt_at,
    }


def claim_of(execution: Execution, job: AnyRow, payload: bytes) -> Claim:
    """Needs the columns `TARGET_COLUMNS` of the job as it stands now."""
    return Claim(
        execution_id=execution.id,
        attempt_no=execution.attempt_no,
        job_id=execution.job_id,
        workspace_id=execution.workspace_id,
        host=job.host,
        trigger=execution.trigger,
        scheduled_for=execution.scheduled_for,
        retries_used=execution.retries_used,
        losses=execution.losses,
        callback_url=job.callback_url,
        headers=_pairs(job.headers),
        payload=payload,
        timeout=timedelta(microseconds=job.timeout_us),
        retry_policy=_policy_from(job),
    )


def answer_from(row: AnyRow) -> StoredAnswer:
    return StoredAnswer(status=row.status, headers=_pairs(row.headers), body=row.body, payload_at=row.payload_at)


def answer_values(answer: StoredAnswer) -> Values:
    return {
        "status": answer.status,
        "headers": answer.headers,
        "body": answer.body,
        "payload_at": answer.payload_at,
    }


def _definition_from(row: AnyRow) -> JobDefinition:
    return JobDefinition(
        name=row.name,
        schedule=schedule_from(row),
        callback_url=row.callback_url,
        headers=_pairs(row.headers),
        payload=row.payload,
        timeout=timedelta(microseconds=row.timeout_us),
        retry_policy=_policy_from(row),
        tags=row.tags,
        metadata=row.metadata,
    )


def _policy_from(row: AnyRow) -> RetryPolicy:
    return _policy(tuple(row.retry_delays_seconds))


@lru_cache(maxsize=1024)
def _policy(delays: tuple[float, ...]) -> RetryPolicy:
    """Nearly all jobs share a few."""
    return RetryPolicy(delays=tuple(timedelta(seconds=seconds) for seconds in delays))


def _pairs(pairs: Sequence[Sequence[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in pairs)
