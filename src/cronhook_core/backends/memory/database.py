from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from attrs import define, field

from cronhook_core.backends.memory.answers import Answers
from cronhook_core.backends.memory.attempt_table import AttemptTable
from cronhook_core.backends.memory.execution_table import ExecutionTable
from cronhook_core.backends.memory.job_table import JobTable
from cronhook_core.domain.api_key import ApiKey
from cronhook_core.domain.claim import ClaimRef
from cronhook_core.domain.job import InactiveReason, Job, JobStatus
from cronhook_core.domain.transition_batch import Changes, Rows
from cronhook_core.domain.transitions import JobState, cancelled, ends_with_its_job
from cronhook_core.domain.workspace import SigningSecretVersion, Workspace


@define
class WorkerRow:
    beat: int = 0
    buried_at: datetime | None = None


@define(eq=False)
class MemoryDatabase:
    """What the memory stores of one process share. It dies with the process.

    Its stores never wait within a method, so each of their methods is one transaction for all tasks of one event loop;
    it may be used from one thread only.
    """

    workspaces: dict[str, Workspace] = field(factory=dict, init=False)
    keys: dict[str, ApiKey] = field(factory=dict, init=False)
    key_id: str | None = field(default=None, init=False)
    key_ids: dict[bytes, str] = field(factory=dict, init=False)
    """By digest."""
    secret_versions: dict[str, list[SigningSecretVersion]] = field(factory=dict, init=False)
    zone_rules: str | None = field(default=None, init=False)
    believed_clock: datetime | None = field(default=None, init=False)
    jobs: JobTable = field(factory=JobTable, init=False)
    executions: ExecutionTable = field(factory=ExecutionTable, init=False)
    attempts: AttemptTable = field(factory=AttemptTable, init=False)
    workers: dict[str, WorkerRow] = field(factory=dict, init=False)
    answers: Answers = field(factory=Answers, init=False)

    def is_alive(self, worker_id: str) -> bool:
        worker = self.workers.get(worker_id)
        return worker is not None and worker.buried_at is None

    def rows_of(self, refs: Sequence[ClaimRef]) -> Rows:
        """What a batch of transitions needs to read."""
        named = {ref.execution_id: self.executions.get(ref.execution_id) for ref in refs}
        executions = {identifier: execution for identifier, execution in named.items() if execution is not None}
        attempts = {ref: self.attempts.get(ref) for ref in refs}
        return Rows(
            executions=executions,
            attempts={ref: attempt for ref, attempt in attempts.items() if attempt is not None},
            jobs={e.job_id: JobState.of(self.jobs[e.job_id]) for e in executions.values()},
        )

    def apply(self, changes: Changes, now: datetime) -> None:
        """Write what a batch of transitions decided."""
        for execution in changes.executions.values():
            self.executions.put(execution)
        for attempt in changes.attempts.values():
            self.attempts.put(attempt)
        for job_id, reason in changes.job_ends.items():
            self.end_job(self.jobs[job_id], reason, now)

    def end_job(self, job: Job, reason: InactiveReason, now: datetime) -> None:
        """Make a job inactive; one that is gone takes along what is queued."""
        self.jobs.put(job.changed(now, status=JobStatus.INACTIVE, inactive_reason=reason, next_run=None))
        if reason is InactiveReason.GONE:
            self.cancel_queued(job.id, reason.value, now, manual_too=True)

    def cancel_queued(self, job_id: str, reason: str, now: datetime, *, manual_too: bool) -> None:
        for execution in self.executions.queued_of(job_id):
            if ends_with_its_job(execution, manual_too=manual_too):
                self.executions.put(cancelled(execution, reason, now))
