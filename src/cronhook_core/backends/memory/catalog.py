from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from string import ascii_lowercase, ascii_uppercase

from attrs import evolve

from cronhook_core.backends.memory.database import MemoryDatabase
from cronhook_core.domain.execution import Attempt, Execution, ExecutionStatus
from cronhook_core.domain.idempotency import IdempotentRequest
from cronhook_core.domain.job import NULL_PAYLOAD, Job
from cronhook_core.domain.queue_bounds import UNBOUNDED, QueueBounds
from cronhook_core.domain.transitions import CANCELLED_BY_USER, JobState, cancelled, job_end_by_user
from cronhook_core.errors import NotFound, Quota, QuotaExceeded
from cronhook_core.ports.job_catalog import COUNTED_UP_TO, CancelQueued, JobFilter

_LOWER_ASCII = str.maketrans(ascii_uppercase, ascii_lowercase)


class MemoryJobCatalog:
    def __init__(self, database: MemoryDatabase) -> None:
        self._db = database

    async def refuse_repeat(self, workspace_id: str, request: IdempotentRequest, *, now: datetime) -> None:
        self._db.answers.refuse_repeated(workspace_id, request, now)

    async def create_job(
        self,
        job: Job,
        *,
        max_jobs: int | None,
        max_stored_bytes: int | None = None,
        now: datetime,
        idempotency: IdempotentRequest | None = None,
    ) -> None:
        if job.workspace_id not in self._db.workspaces:
            raise NotFound("workspace", job.workspace_id)
        if self._db.jobs.get(job.id) is not None:
            return
        self._db.answers.refuse_repeated(job.workspace_id, idempotency, now)
        self._check_quota(job, max_jobs)
        self._check_bytes(job, job.counted_bytes, max_stored_bytes)
        keep_answer = self._db.answers.prepare(job.workspace_id, idempotency, job, now)
        self._db.jobs.put(job)
        keep_answer()

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
        self._db.answers.refuse_repeated(job.workspace_id, idempotency, now)
        stored = self._kept_job(job.workspace_id, job.id)
        if stored is None or (stored.revision, stored.next_run) != (expected.revision, expected.next_run):
            return False
        if not stored.counts_against_quota:
            self._check_quota(job, max_jobs)
        self._check_bytes(job, job.counted_bytes - stored.counted_bytes, max_stored_bytes)
        keep_answer = self._db.answers.prepare(job.workspace_id, idempotency, job, now)
        self._db.jobs.put(evolve(job, last_run=None, last_run_status=None))
        if cancel is not None:
            self._db.cancel_queued(job.id, cancel.reason, now, manual_too=cancel.manual_too)
        keep_answer()
        return True

    async def get_job(self, workspace_id: str, job_id: str) -> Job | None:
        job = self._kept_job(workspace_id, job_id)
        return None if job is None else self._with_last_run(job)

    async def list_jobs(
        self,
        workspace_id: str,
        matching: JobFilter,
        *,
        limit: int,
        before_id: str | None = None,
        with_payload: bool = True,
        max_bytes: int | None = None,
    ) -> Sequence[Job]:
        jobs = self._db.jobs.newest_first(workspace_id, before_id)
        found = (job for job in jobs if job.deleted_at is None and _matches(job, matching))
        read = (job if with_payload else _without_payload(job) for job in islice(found, limit))
        return [self._with_last_run(job) for job in _up_to(read, max_bytes)]

    async def count_jobs(self, workspace_id: str) -> int:
        return self._db.jobs.counted(workspace_id)

    async def stored_bytes(self, workspace_id: str) -> int:
        return self._db.jobs.stored_bytes(workspace_id)

    async def add_execution(
        self,
        execution: Execution,
        *,
        now: datetime,
        bounds: QueueBounds = UNBOUNDED,
        idempotency: IdempotentRequest | None = None,
    ) -> None:
        self._db.answers.refuse_repeated(execution.workspace_id, idempotency, now)
        if self._kept_job(execution.workspace_id, execution.job_id) is None:
            raise NotFound("job", execution.job_id)
        if self._db.executions.get(execution.id) is not None:
            return
        bounds.check_workspace(self._db.executions.queued_by_users(execution.workspace_id))
        bounds.check_job(self._db.executions.queued_by_users(execution.job_id))
        keep_answer = self._db.answers.prepare(execution.workspace_id, idempotency, execution, now)
        self._db.executions.put(execution)
        keep_answer()

    async def count_queued(self, workspace_id: str) -> int:
        return self._db.executions.queued_by_users(workspace_id)

    async def cancel_execution(
        self,
        workspace_id: str,
        execution_id: str,
        *,
        now: datetime,
        idempotency: IdempotentRequest | None = None,
    ) -> Execution | None:
        self._db.answers.refuse_repeated(workspace_id, idempotency, now)
        execution = await self.get_execution(workspace_id, execution_id)
        if execution is None or execution.status is not ExecutionStatus.QUEUED:
            return None
        job = self._db.jobs[execution.job_id]
        ended = cancelled(execution, CANCELLED_BY_USER, now)
        keep_answer = self._db.answers.prepare(workspace_id, idempotency, ended, now)
        self._db.executions.put(ended)
        if (reason := job_end_by_user(execution, JobState.of(job))) is not None:
            self._db.end_job(job, reason, now)
        keep_answer()
        return ended

    async def get_execution(self, workspace_id: str, execution_id: str) -> Execution | None:
        execution = self._db.executions.get(execution_id)
        return execution if execution is not None and execution.workspace_id == workspace_id else None

    async def list_executions(
        self,
        workspace_id: str,
        job_id: str,
        *,
        status: ExecutionStatus | None = None,
        limit: int,
        before_id: str | None = None,
    ) -> Sequence[Execution]:
        if not self._owns(workspace_id, job_id):
            return []
        executions = self._db.executions.newest_first(job_id, before_id)
        return list(islice(_with_status(executions, status), limit))

    async def list_attempts(
        self,
        workspace_id: str,
        job_id: str,
        *,
        status: str | None = None,
        oldest_first: bool = False,
        offset: int,
        limit: int,
        count_up_to: int = COUNTED_UP_TO,
    ) -> tuple[Sequence[Attempt], int | None]:
        if not self._owns(workspace_id, job_id):
            return [], 0
        page, total = self._db.attempts.page(
            job_id, status=status, oldest_first=oldest_first, offset=offset, limit=limit
        )
        return page, total if total <= count_up_to else None

    async def attempts_of(self, workspace_id: str, execution_id: str) -> Sequence[Attempt]:
        if await self.get_execution(workspace_id, execution_id) is None:
            return []
        return self._db.attempts.of_execution(execution_id)

    def _owns(self, workspace_id: str, job_id: str) -> bool:
        job = self._db.jobs.get(job_id)
        return job is not None and job.workspace_id == workspace_id

    def _kept_job(self, workspace_id: str, job_id: str) -> Job | None:
        """The job as it is stored; None when absent, deleted or foreign."""
        job = self._db.jobs.get(job_id)
        return job if job is not None and job.workspace_id == workspace_id and job.deleted_at is None else None

    def _check_quota(self, job: Job, max_jobs: int | None) -> None:
        own = self._db.workspaces[job.workspace_id].max_jobs
        limit = max_jobs if own is None else own
        if limit is not None and job.counts_against_quota and self._db.jobs.counted(job.workspace_id) >= limit:
            raise QuotaExceeded(limit)

    def _check_bytes(self, job: Job, more: int, limit: int | None) -> None:
        if limit is not None and more > 0 and self._db.jobs.stored_bytes(job.workspace_id) + more > limit:
            raise QuotaExceeded(limit, Quota.STORED_BYTES)

    def _with_last_run(self, job: Job) -> Job:
        newest = next(self._db.executions.newest_first(job.id), None)
        return job if newest is None else evolve(job, last_run=newest.scheduled_for, last_run_status=newest.status)


def _matches(job: Job, matching: JobFilter) -> bool:
    return (
        (matching.status is None or job.status is matching.status)
        and (matching.tag is None or matching.tag in job.definition.tags)
        and (matching.text is None or _lower(matching.text) in _lower(job.definition.name))
    )


def _without_payload(job: Job) -> Job:
    return evolve(job, definition=evolve(job.definition, payload=NULL_PAYLOAD))


def _up_to(jobs: Iterator[Job], max_bytes: int | None) -> Iterator[Job]:
    """Up to the one with which they take more than ``max_bytes``."""
    total = 0
    for job in jobs:
        yield job
        total += job.definition.stored_bytes
        if max_bytes is not None and total > max_bytes:
            return


def _lower(text: str) -> str:
    return text.translate(_LOWER_ASCII)


def _with_status(executions: Iterator[Execution], status: ExecutionStatus | None) -> Iterator[Execution]:
    return (execution for execution in executions if status is None or execution.status is status)
