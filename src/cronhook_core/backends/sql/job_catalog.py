from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from datetime import datetime
from typing import TypeVar

from cronhook_core.backends.sql import reads, writes
from cronhook_core.backends.sql.database import SqlDatabase
from cronhook_core.backends.sql.idempotency import refuse_answered
from cronhook_core.backends.sql.room import recount_bytes
from cronhook_core.domain.execution import Attempt, Execution, ExecutionStatus
from cronhook_core.domain.idempotency import IdempotentRequest
from cronhook_core.domain.job import Job
from cronhook_core.domain.queue_bounds import UNBOUNDED, QueueBounds
from cronhook_core.errors import Quota, QuotaExceeded, StoreBusy
from cronhook_core.ports.job_catalog import COUNTED_UP_TO, CancelQueued, JobFilter

T = TypeVar("T")

SEARCHES_AT_ONCE = 2
"""Lists by a text or a tag, which read all jobs of a workspace where few match. Connections stay for all else."""
SEARCH_BEGINS_WITHIN = 2.0
"""Seconds. A database that hangs would otherwise be waited for once for each search before this one."""


class SqlJobCatalog:
    """The `JobCatalog` of both SQL stores."""

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database
        self._searches = asyncio.Semaphore(SEARCHES_AT_ONCE)

    async def refuse_repeat(self, workspace_id: str, request: IdempotentRequest, *, now: datetime) -> None:
        await self._database.read(refuse_answered, workspace_id, request, now)

    async def create_job(
        self,
        job: Job,
        *,
        max_jobs: int | None,
        max_stored_bytes: int | None = None,
        now: datetime,
        idempotency: IdempotentRequest | None = None,
    ) -> None:
        async def create() -> None:
            await self._database.write(writes.create_job, job, max_jobs, max_stored_bytes, now, idempotency)

        await self._with_exact_bytes(job.workspace_id, create, now)

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
        async def change() -> bool:
            return await self._database.write(
                writes.change_job, job, expected, cancel, max_jobs, max_stored_bytes, now, idempotency
            )

        return await self._with_exact_bytes(job.workspace_id, change, now)

    async def _with_exact_bytes(self, workspace_id: str, write: Callable[[], Awaitable[T]], now: datetime) -> T:
        """Write; where the bound on stored bytes is in the way, make it exact and write again."""
        try:
            return await write()
        except QuotaExceeded as refused:
            if refused.quota is not Quota.STORED_BYTES:
                raise
            if not await self._database.write(recount_bytes, workspace_id, now):
                raise
        return await write()

    async def get_job(self, workspace_id: str, job_id: str) -> Job | None:
        return await self._database.read(reads.get_job, workspace_id, job_id)

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
        async with self._search() if matching.searches else nullcontext():
            return await self._database.read(
                reads.list_jobs, workspace_id, matching, limit, before_id, with_payload, max_bytes
            )

    @asynccontextmanager
    async def _search(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(SEARCH_BEGINS_WITHIN):
                await self._searches.acquire()
        except TimeoutError:
            raise StoreBusy("other searches are under way, and do not end") from None
        try:
            yield
        finally:
            self._searches.release()

    async def count_jobs(self, workspace_id: str) -> int:
        return await self._database.read(reads.count_jobs, workspace_id)

    async def stored_bytes(self, workspace_id: str) -> int:
        return await self._database.read(reads.stored_bytes, workspace_id)

    async def add_execution(
        self,
        execution: Execution,
        *,
        now: datetime,
        bounds: QueueBounds = UNBOUNDED,
        idempotency: IdempotentRequest | None = None,
    ) -> None:
        await self._database.write(writes.add_execution, execution, bounds, now, idempotency)

    async def count_queued(self, workspace_id: str) -> int:
        return await self._database.read(reads.count_queued, workspace_id)

    async def cancel_execution(
        self,
        workspace_id: str,
        execution_id: str,
        *,
        now: datetime,
        idempotency: IdempotentRequest | None = None,
    ) -> Execution | None:
        return await self._database.write(writes.cancel_execution, workspace_id, execution_id, now, idempotency)

    async def get_execution(self, workspace_id: str, execution_id: str) -> Execution | None:
        return await self._database.read(reads.get_execution, workspace_id, execution_id)

    async def list_executions(
        self,
        workspace_id: str,
        job_id: str,
        *,
        status: ExecutionStatus | None = None,
        limit: int,
        before_id: str | None = None,
    ) -> Sequence[Execution]:
        return await self._database.read(reads.list_executions, workspace_id, job_id, status, limit, before_id)

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
        return await self._database.read(
            reads.list_attempts, workspace_id, job_id, status, oldest_first, offset, limit, count_up_to
        )

    async def attempts_of(self, workspace_id: str, execution_id: str) -> Sequence[Attempt]:
        return await self._database.read(reads.attempts_of, workspace_id, execution_id)
