"""The memory stores, and next to them the records that the oracle judges, kept as they change."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import Any

from attrs import define, field

from cronhook_core.backends.memory.attempt_table import AttemptTable
from cronhook_core.backends.memory.database import MemoryDatabase
from cronhook_core.backends.memory.execution_table import ExecutionTable
from cronhook_core.backends.memory.job_store import MemoryJobStore
from cronhook_core.backends.memory.job_table import JobTable
from cronhook_core.domain.execution import Attempt, Execution
from cronhook_core.domain.idempotency import IdempotentRequest
from cronhook_core.domain.job import InactiveReason, Job, JobStatus
from cronhook_core.domain.queue_bounds import UNBOUNDED, QueueBounds
from cronhook_core.domain.schedule import OneTimeSchedule
from cronhook_core.ports.job_catalog import CancelQueued
from tests.faults.history import Act, Cron, Once, Row

_AMPLE = timedelta(days=3650) // timedelta(microseconds=1)
"""A receiver of the model always answers in time."""


@define
class Observer:
    """Rows by job, as they stand, and what happened to each job."""

    jobs: dict[str, dict[str, Any]] = field(factory=dict)
    executions: defaultdict[str, dict[str, Row]] = field(factory=lambda: defaultdict(dict))
    attempts: defaultdict[str, dict[tuple[str, int], Row]] = field(factory=lambda: defaultdict(dict))
    transitions: list[Row] = field(factory=list)
    acts: defaultdict[str, list[Act]] = field(factory=lambda: defaultdict(list))
    touched: set[str] = field(factory=set)
    edges: Counter[tuple[str | None, str | None]] = field(factory=Counter)

    def job(self, job: Job) -> None:
        self.jobs[job.id] = _job_row(job)
        self.touched.add(job.id)

    def execution(self, before: Execution | None, after: Execution) -> None:
        self.executions[after.job_id][after.id] = _execution_row(after)
        job = self.jobs[after.job_id]
        self.transitions.append(
            {
                "execution_id": after.id,
                "old_status": before and before.status,
                "new_status": after.status,
                "old_attempt_no": before and before.attempt_no,
                "new_attempt_no": after.attempt_no,
                "job_status": job["status"],
                "job_deleted_at": job["deleted_at"],
            }
        )
        self.edges[None if before is None else before.status, after.status] += 1
        self.touched.add(after.job_id)

    def attempt(self, attempt: Attempt) -> None:
        self.attempts[attempt.job_id][attempt.execution_id, attempt.attempt_no] = _attempt_row(attempt)
        self.touched.add(attempt.job_id)

    def act(self, kind: str, before: Job, now: datetime, **told: Any) -> None:
        """``before`` is the job as it was when the act took effect."""
        made = Act(
            kind=kind,
            job_id=before.id,
            asked_at=now,
            answered_at=now,
            unplanned_from=before.next_run,
            planned_through=before.planned_through,
            **told,
        )
        self.acts[before.id].append(made)
        self.touched.add(before.id)


class _Jobs(JobTable):
    def __init__(self, observer: Observer) -> None:
        super().__init__()
        self._observer = observer

    def put(self, job: Job) -> None:
        super().put(job)
        self._observer.job(job)


class _Executions(ExecutionTable):
    def __init__(self, observer: Observer) -> None:
        super().__init__()
        self._observer = observer

    def put(self, execution: Execution) -> None:
        before = self.get(execution.id)
        super().put(execution)
        self._observer.execution(before, execution)


class _Attempts(AttemptTable):
    def __init__(self, observer: Observer) -> None:
        super().__init__()
        self._observer = observer

    def put(self, attempt: Attempt) -> None:
        super().put(attempt)
        self._observer.attempt(attempt)


@define(eq=False)
class ObservedDatabase(MemoryDatabase):
    """A `MemoryDatabase` of which every change is written down."""

    observer: Observer = field(factory=Observer, kw_only=True)

    def __attrs_post_init__(self) -> None:
        self.jobs = _Jobs(self.observer)
        self.executions = _Executions(self.observer)
        self.attempts = _Attempts(self.observer)

    def end_job(self, job: Job, reason: InactiveReason, now: datetime) -> None:
        super().end_job(job, reason, now)
        self.observer.act("gone" if reason is InactiveReason.GONE else "ended", job, now)


class ObservedJobStore(MemoryJobStore):
    """A `MemoryJobStore` that writes down what users brought about, at the moment it took effect."""

    def __init__(self, database: ObservedDatabase) -> None:
        super().__init__(database)
        self._observer = database.observer

    async def create_job(
        self,
        job: Job,
        *,
        max_jobs: int | None,
        max_stored_bytes: int | None = None,
        now: datetime,
        idempotency: IdempotentRequest | None = None,
    ) -> None:
        is_new = self._db.jobs.get(job.id) is None
        await super().create_job(
            job, max_jobs=max_jobs, max_stored_bytes=max_stored_bytes, now=now, idempotency=idempotency
        )
        if is_new:
            self._observer.act("create", job, now, **_told_of(job))

    async def change_job(
        self,
        job: Job,
        *,
        expected: Job,
        cancel: CancelQueued | None,
        max_jobs: int | None,
        max_stored_bytes: int | None = None,
        now: datetime,
        idempotency: IdempotentRequest | None = None,
    ) -> bool:
        before = self._db.jobs.get(job.id)
        changed = await super().change_job(
            job,
            expected=expected,
            cancel=cancel,
            max_jobs=max_jobs,
            max_stored_bytes=max_stored_bytes,
            now=now,
            idempotency=idempotency,
        )
        if changed and before is not None:
            kind = _kind(before, job)
            self._observer.act(kind, before, now, **(_told_of(job) if kind == "edit" else {}))
        return changed

    async def add_execution(
        self,
        execution: Execution,
        *,
        now: datetime,
        bounds: QueueBounds = UNBOUNDED,
        idempotency: IdempotentRequest | None = None,
    ) -> None:
        await super().add_execution(execution, now=now, bounds=bounds, idempotency=idempotency)
        kind = "run" if execution.trigger == "manual" else "replay"
        self._observer.act(kind, self._db.jobs[execution.job_id], now, execution_id=execution.id)

    async def cancel_execution(
        self, workspace_id: str, execution_id: str, *, now: datetime, idempotency: IdempotentRequest | None = None
    ) -> Execution | None:
        ended = await super().cancel_execution(workspace_id, execution_id, now=now, idempotency=idempotency)
        if ended is not None:
            self._observer.act("cancel", self._db.jobs[ended.job_id], now, execution_id=execution_id)
        return ended


def _kind(before: Job, after: Job) -> str:
    if after.deleted_at is not None:
        return "delete"
    if after.definition != before.definition:
        return "edit"
    return "pause" if after.status is JobStatus.PAUSED else "resume"


def _told_of(job: Job) -> dict[str, Any]:
    return {"schedule": schedule_of(job), "retries": len(job.definition.retry_policy.delays)}


def schedule_of(job: Job) -> Cron | Once:
    schedule = job.definition.schedule
    if isinstance(schedule, OneTimeSchedule):
        return Once(schedule.run_at)
    return Cron(schedule.expression, schedule.timezone)


def _job_row(job: Job) -> dict[str, Any]:
    schedule = schedule_of(job)
    return {
        "id": job.id,
        "workspace_id": job.workspace_id,
        "status": job.status,
        "inactive_reason": job.inactive_reason,
        "next_run": job.next_run,
        "run_at": schedule.run_at if isinstance(schedule, Once) else None,
        "cron": schedule.expression if isinstance(schedule, Cron) else None,
        "timezone": schedule.timezone if isinstance(schedule, Cron) else None,
        "timeout_us": _AMPLE,
        "retries": len(job.definition.retry_policy.delays),
        "deleted_at": job.deleted_at,
    }


def _execution_row(execution: Execution) -> Row:
    return {
        "id": execution.id,
        "job_id": execution.job_id,
        "workspace_id": execution.workspace_id,
        "trigger": execution.trigger,
        "status": execution.status,
        "reason": execution.reason,
        "worker_id": execution.worker_id,
        "scheduled_for": execution.scheduled_for,
        "available_at": execution.available_at,
        "finished_at": execution.finished_at,
        "missed_from": execution.missed_from,
        "missed_count": execution.missed_count,
        "attempt_no": execution.attempt_no,
        "retries_used": execution.retries_used,
        "losses": execution.losses,
        "releases": execution.releases,
    }


def _attempt_row(attempt: Attempt) -> Row:
    return {
        "execution_id": attempt.execution_id,
        "attempt_no": attempt.attempt_no,
        "job_id": attempt.job_id,
        "workspace_id": attempt.workspace_id,
        "worker_id": attempt.worker_id,
        "started_at": attempt.started_at,
        "outcome": attempt.outcome,
        "late": attempt.late,
        "response_status": attempt.response_status,
    }
