from __future__ import annotations

from datetime import datetime
from itertools import islice, takewhile

from cronhook_core.backends.memory.catalog import MemoryJobCatalog
from cronhook_core.backends.memory.claims import MemoryClaimStore
from cronhook_core.backends.memory.database import MemoryDatabase
from cronhook_core.backends.memory.planning import MemoryPlanningStore
from cronhook_core.backends.memory.workers import MemoryWorkerRegistry
from cronhook_core.domain.execution import Execution
from cronhook_core.domain.job import JobStatus


class MemoryJobStore(MemoryJobCatalog, MemoryPlanningStore, MemoryClaimStore, MemoryWorkerRegistry):
    """The `JobStore` of one process; several on one ``database`` see the same jobs."""

    def __init__(self, database: MemoryDatabase | None = None) -> None:
        super().__init__(MemoryDatabase() if database is None else database)

    async def ping(self) -> None:
        """Memory always answers."""

    async def believed_clock(self) -> datetime | None:
        return self._db.believed_clock

    async def remember_clock(self, now: datetime) -> None:
        self._db.believed_clock = now

    async def prune(self, before: datetime, limit: int, *, now: datetime) -> int:
        old = takewhile(lambda execution: _ended_before(execution, before), self._db.executions.ended())
        pruned = list(islice((execution for execution in old if not self._stays(execution)), limit))
        for execution in pruned:
            self._db.executions.remove(execution.id)
            self._db.attempts.remove_of(execution.id)
        self._db.answers.forget_expired(now)
        self._forget_workers(before)
        return len(pruned)

    async def prune_jobs(self, before: datetime, limit: int) -> int:
        ended = (
            job for job in self._db.jobs.inactive() if job.updated_at < before and not self._has_executions(job.id)
        )
        pruned = list(islice(ended, limit))
        for job in pruned:
            self._db.jobs.remove(job.id)
        return len(pruned)

    def _stays(self, execution: Execution) -> bool:
        newest = next(self._db.executions.newest_first(execution.job_id))
        return newest.id == execution.id and self._db.jobs[execution.job_id].status is not JobStatus.INACTIVE

    def _has_executions(self, job_id: str) -> bool:
        return next(self._db.executions.newest_first(job_id), None) is not None

    def _forget_workers(self, before: datetime) -> None:
        workers = self._db.workers
        for name in [n for n, worker in workers.items() if worker.buried_at and worker.buried_at < before]:
            del workers[name]


def _ended_before(execution: Execution, before: datetime) -> bool:
    return execution.finished_at is not None and execution.finished_at < before
