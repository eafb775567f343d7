from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from attrs import frozen

from cronhook_core.domain.execution import Attempt, Execution, ExecutionStatus
from cronhook_core.domain.idempotency import IdempotentRequest
from cronhook_core.domain.job import Job, JobStatus
from cronhook_core.domain.queue_bounds import UNBOUNDED, QueueBounds

COUNTED_UP_TO = 10_000
"""Attempts of a job are counted up to this number."""


@frozen(kw_only=True)
class JobFilter:
    """``tag`` is one whole tag; ``text`` is found anywhere in the name, without regard to case (ASCII)."""

    status: JobStatus | None = None
    tag: str | None = None
    text: str | None = None

    @property
    def searches(self) -> bool:
        """Whether jobs have to be looked through, many of them where few match."""
        return self.tag is not None or self.text is not None


@frozen(kw_only=True)
class CancelQueued:
    """Which queued executions end with a change of their job, and with which reason."""

    reason: str
    manual_too: bool


class JobCatalog(Protocol):
    """Jobs, executions and attempts as the API writes and reads them.

    Contract: every method is one transaction, and every query carries the workspace. Deleted jobs are hidden from every
    read but keep their executions and attempts, which their own reads still show. Writes lock the workspace's row, then
    the job's, then executions', in this order; what returned is durable. ``idempotency``: when the same (workspace,
    path, key) was stored less than 24 h before ``now``, nothing is done, and ``AlreadyAnswered`` (same fingerprint) or
    ``IdempotencyMismatch`` is raised; otherwise the answer is stored with the effect, or neither is. A new key beyond
    the request's ``max_records`` raises ``QuotaExceeded``, exactly at the limit. A database that is away raises
    ``StoreUnavailable``: whether the write took place is then unknown, and the caller may repeat it. One that waited
    too long for another transaction raises ``StoreBusy`` and has done nothing.
    """

    async def refuse_repeat(self, workspace_id: str, request: IdempotentRequest, *, now: datetime) -> None:
        """Raise what a write with this ``idempotency`` would raise for a repeat; otherwise do and keep nothing.

        For callers whose own checks may refuse by now what was answered then.
        """

    async def create_job(
        self,
        job: Job,
        *,
        max_jobs: int | None,
        max_stored_bytes: int | None = None,
        now: datetime,
        idempotency: IdempotentRequest | None = None,
    ) -> None:
        """Store a new job.

        ``QuotaExceeded`` when the workspace already has ``max_jobs`` active and paused ones (its own ``max_jobs`` wins
        over the argument; None: no limit), or when its jobs that are not deleted, inactive ones included, would take
        more than ``max_stored_bytes`` (see `Job.counted_bytes`; None: no limit). Both exactly at the limit, also when
        creations race. Bytes that `prune_jobs` frees may count for another minute. ``NotFound`` for an unknown
        workspace. Repeating it with the same id is a no-op, also where a limit is reached or ``idempotency`` has its
        answer by now.
        """

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
        """Replace ``expected`` by ``job`` if the stored one still has its ``revision`` and ``next_run``; else False.

        False as well when the job is absent, deleted or foreign; then nothing is done and no answer is stored.
        ``cancel`` ends queued executions of the job in the same transaction. A job that begins to count against the
        quota, or takes more bytes than before, is checked as in `create_job`. Setting ``deleted_at`` deletes it.
        """

    async def get_job(self, workspace_id: str, job_id: str) -> Job | None:
        """The job; None when absent, deleted or foreign.

        ``last_run`` and ``last_run_status`` are the ``scheduled_for`` and the status of its newest execution (the one
        with the greatest id), None when there is none.
        """

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
        """Jobs as `get_job` returns them, newest first (by id, descending), from the one after ``before_id`` on.

        ``before_id`` need not exist (any more). Without ``with_payload`` no payload is read; each is `NULL_PAYLOAD`.
        ``max_bytes``: the last job is the one with which all take more than that together (`JobDefinition.stored_bytes`
        as they are returned), and no more of them are read.
        """

    async def count_jobs(self, workspace_id: str) -> int:
        """How many jobs count against the quota."""

    async def stored_bytes(self, workspace_id: str) -> int:
        """How many stored bytes count against the quota; what `prune_jobs` freed may still be among them."""

    async def add_execution(
        self,
        execution: Execution,
        *,
        now: datetime,
        bounds: QueueBounds = UNBOUNDED,
        idempotency: IdempotentRequest | None = None,
    ) -> None:
        """Queue a manual execution or a replay; its job may be paused or inactive.

        ``QuotaExceeded`` when its job or its workspace already has as many of these that have not ended as ``bounds``
        allow, exactly at the bound also when calls race; what schedules queue does not count. ``NotFound`` when the job
        is absent, deleted or foreign. Repeating it with the same id is a no-op, also where a bound is reached.
        """

    async def count_queued(self, workspace_id: str) -> int:
        """How many executions that runs and replays queued have not ended."""

    async def cancel_execution(
        self,
        workspace_id: str,
        execution_id: str,
        *,
        now: datetime,
        idempotency: IdempotentRequest | None = None,
    ) -> Execution | None:
        """Cancel a queued execution (reason ``cancelled``) and return it; None when it is unknown, final or running.

        An active one-time job whose scheduled execution is cancelled, and that was not given a new instant, becomes
        inactive. Where None is returned, no answer is stored.
        """

    async def get_execution(self, workspace_id: str, execution_id: str) -> Execution | None: ...

    async def list_executions(
        self,
        workspace_id: str,
        job_id: str,
        *,
        status: ExecutionStatus | None = None,
        limit: int,
        before_id: str | None = None,
    ) -> Sequence[Execution]:
        """A job's executions, newest first (by id, descending), from the one after ``before_id`` on."""

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
        """A page of a job's attempts, newest first, and how many there are in all; released ones are not shown.

        None: more than ``count_up_to``, which bounds what counting costs. Their order is that of their start, then of
        their id. ``status`` is a word of `Attempt.status`.
        """

    async def attempts_of(self, workspace_id: str, execution_id: str) -> Sequence[Attempt]:
        """All attempts of one execution in order, without released ones."""
