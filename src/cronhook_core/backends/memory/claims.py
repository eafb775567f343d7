from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cronhook_core.backends.memory.database import MemoryDatabase
from cronhook_core.domain.claim import MAX_CLAIM_BYTES, AttemptReport, Claim, ClaimRef, Verdict
from cronhook_core.domain.execution import Execution
from cronhook_core.domain.job import Job
from cronhook_core.domain.transition_batch import finish_all, interrupt_all, lose_all, release_all
from cronhook_core.domain.transitions import JobState, claimed, is_claimable, within_bytes, without_surplus_suspects


class MemoryClaimStore:
    def __init__(self, database: MemoryDatabase) -> None:
        self._db = database

    async def claim(
        self,
        execution_ids: Sequence[str],
        *,
        worker_id: str,
        now: datetime,
        with_suspect: bool = True,
        max_bytes: int = MAX_CLAIM_BYTES,
    ) -> Sequence[Claim]:
        if not self._db.is_alive(worker_id):
            return []
        named = (self._db.executions.get(identifier) for identifier in dict.fromkeys(execution_ids))
        claimable = [e for e in named if e is not None and is_claimable(e, JobState.of(self._db.jobs[e.job_id]), now)]
        allowed = without_surplus_suspects(claimable, with_suspect=with_suspect)
        return [self._claim(execution, worker_id, now) for execution in within_bytes(allowed, self._bytes, max_bytes)]

    async def finish(self, reports: Sequence[AttemptReport], now: datetime) -> Sequence[Verdict]:
        refs = [ClaimRef(execution_id=report.execution_id, attempt_no=report.attempt_no) for report in reports]
        changes = finish_all(reports, self._db.rows_of(refs))
        self._db.apply(changes, now)
        return changes.verdicts

    async def release(self, refs: Sequence[ClaimRef], now: datetime) -> Sequence[Verdict]:
        changes = release_all(refs, self._db.rows_of(refs), now)
        self._db.apply(changes, now)
        return changes.verdicts

    async def interrupt(self, refs: Sequence[ClaimRef], now: datetime) -> Sequence[Verdict]:
        changes = interrupt_all(refs, self._db.rows_of(refs), now)
        self._db.apply(changes, now)
        return changes.verdicts

    async def lose(self, refs: Sequence[ClaimRef], now: datetime) -> Sequence[Verdict]:
        changes = lose_all(refs, self._db.rows_of(refs), now)
        self._db.apply(changes, now)
        return changes.verdicts

    async def running(self, worker_id: str) -> Sequence[ClaimRef]:
        return [_ref(execution) for execution in self._db.executions.running(worker_id)]

    def _bytes(self, job_id: str) -> int:
        return self._db.jobs[job_id].definition.stored_bytes

    def _claim(self, execution: Execution, worker_id: str, now: datetime) -> Claim:
        running, attempt = claimed(execution, worker_id, now)
        self._db.executions.put(running)
        self._db.attempts.put(attempt)
        return _claim_of(running, self._db.jobs[running.job_id])


def _ref(execution: Execution) -> ClaimRef:
    return ClaimRef(execution_id=execution.id, attempt_no=execution.attempt_no)


def _claim_of(execution: Execution, job: Job) -> Claim:
    return Claim(
        execution_id=execution.id,
        attempt_no=execution.attempt_no,
        job_id=job.id,
        workspace_id=job.workspace_id,
        host=job.host,
        trigger=execution.trigger,
        scheduled_for=execution.scheduled_for,
        retries_used=execution.retries_used,
        losses=execution.losses,
        callback_url=job.definition.callback_url,
        headers=job.definition.headers,
        payload=job.definition.payload,
        timeout=job.definition.timeout,
        retry_policy=job.definition.retry_policy,
    )
