"""The rules by which an execution changes, and what that does to its job.

Values in, values out: a backend reads rows, asks the rule, and writes back what it says, in one transaction. A whole
batch at once: `cronhook_core.domain.transition_batch`. An execution has a ``worker_id`` exactly while it is running.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from attrs import evolve, frozen

from cronhook_core.domain.claim import AttemptReport, Verdict
from cronhook_core.domain.execution import MAX_LOSSES, SUSPECT_LOSSES, Attempt, Execution, ExecutionStatus, Trigger
from cronhook_core.domain.job import InactiveReason, Job, JobStatus
from cronhook_core.domain.planning import JobPlan, Rescheduling
from cronhook_core.domain.retry_policy import GiveUp, RetryAt, Succeed
from cronhook_core.domain.schedule import OneTimeSchedule
from cronhook_core.domain.webhook import Outcome

CANCELLED_BY_USER = "cancelled"
"""The reason of an execution that its user cancelled."""
LOST = "lost"
"""The reason of an execution that was lost `MAX_LOSSES` times."""
INTERRUPTED_ERROR = "The worker was stopped before the receiver answered. The request may have arrived."
"""The ``error`` of an interrupted attempt."""


@frozen(kw_only=True)
class JobState:
    """The columns of a job that decide; no rule needs its payload. ``run_at`` is None for a cron job."""

    id: str
    workspace_id: str
    status: JobStatus
    inactive_reason: InactiveReason | None
    revision: int
    next_run: datetime | None
    planned_through: datetime | None
    run_at: datetime | None
    is_deleted: bool

    @classmethod
    def of(cls, job: Job) -> JobState:
        schedule = job.definition.schedule
        return cls(
            id=job.id,
            workspace_id=job.workspace_id,
            status=job.status,
            inactive_reason=job.inactive_reason,
            revision=job.revision,
            next_run=job.next_run,
            planned_through=job.planned_through,
            run_at=schedule.run_at if isinstance(schedule, OneTimeSchedule) else None,
            is_deleted=job.deleted_at is not None,
        )

    @property
    def planned_at(self) -> datetime | None:
        """When the planner has something to do for it, if ever."""
        return self.next_run if self.status is JobStatus.ACTIVE else None

    @property
    def is_open(self) -> bool:
        """Whether it counts against the quota."""
        return self.status is not JobStatus.INACTIVE

    def ended(self, reason: InactiveReason) -> JobState:
        """The job as the engine makes it inactive; the revision moves, so that a user's change made beside it fails."""
        return evolve(
            self, status=JobStatus.INACTIVE, inactive_reason=reason, next_run=None, revision=self.revision + 1
        )


@frozen(kw_only=True)
class Effect:
    """What one report, loss, release or interruption does: the rows to write (None: unchanged) and the verdict.

    With ``job_end`` the job becomes inactive for that reason (`JobState.ended`, ``updated_at`` moves), and where it is
    GONE, each of its executions that is then still queued is `cancelled` with that word.
    """

    verdict: Verdict
    execution: Execution | None = None
    attempt: Attempt | None = None
    job_end: InactiveReason | None = None


def plan_applies(plan: JobPlan | Rescheduling, job: JobState) -> bool:
    """Whether the job is still as the planner read it."""
    return job.status is JobStatus.ACTIVE and job.revision == plan.revision and job.next_run == plan.expected_next_run


def planned(plan: JobPlan, job: JobState) -> JobState:
    """The job after a plan that applies. ``planned_through`` never goes back."""
    through = max(plan.planned_through, job.planned_through or plan.planned_through)
    moved = evolve(job, next_run=plan.next_run, planned_through=through)
    return moved if plan.inactive_reason is None else moved.ended(plan.inactive_reason)


def is_claimable(execution: Execution, job: JobState, now: datetime) -> bool:
    """Whether some worker may run this execution now. Inactive jobs' executions still run."""
    return (
        execution.status is ExecutionStatus.QUEUED
        and execution.available_at <= now
        and not job.is_deleted
        and not (job.status is JobStatus.PAUSED and execution.trigger is Trigger.SCHEDULE)
    )


def is_suspect(execution: Execution) -> bool:
    """Whether so many workers died under it that it is claimed alone."""
    return execution.losses >= SUSPECT_LOSSES


def without_surplus_suspects(claimable: Iterable[Execution], *, with_suspect: bool) -> list[Execution]:
    """What one claim takes of claimable executions: all in their order, but of suspects the first one or none."""
    taken = []
    for execution in claimable:
        if not is_suspect(execution):
            taken.append(execution)
        elif with_suspect:
            taken.append(execution)
            with_suspect = False
    return taken


def within_bytes(executions: Iterable[Execution], bytes_of: Callable[[str], int], max_bytes: int) -> list[Execution]:
    """The first of these executions, and those after it for as long as all of them fit into ``max_bytes``.

    ``bytes_of`` gives the size of a job by its id.
    """
    taken: list[Execution] = []
    for execution in executions:
        max_bytes -= bytes_of(execution.job_id)
        if max_bytes < 0 and taken:
            break
        taken.append(execution)
    return taken


def claimed(execution: Execution, worker_id: str, now: datetime) -> tuple[Execution, Attempt]:
    """A claimable execution in the hands of a worker, and the attempt that begins."""
    running = evolve(
        execution,
        status=ExecutionStatus.RUNNING,
        attempt_no=execution.attempt_no + 1,
        worker_id=worker_id,
        started_at=execution.started_at or now,
    )
    attempt = Attempt(
        execution_id=running.id,
        job_id=running.job_id,
        workspace_id=running.workspace_id,
        attempt_no=running.attempt_no,
        scheduled_for=running.scheduled_for,
        worker_id=worker_id,
        started_at=now,
    )
    return running, attempt


def cancelled(execution: Execution, reason: str, now: datetime) -> Execution:
    """A queued execution that will not run."""
    return evolve(execution, status=ExecutionStatus.CANCELLED, reason=reason, worker_id=None, finished_at=now)


def ends_with_its_job(execution: Execution, *, manual_too: bool) -> bool:
    """Whether a change of the job that cancels queued executions cancels this one."""
    return execution.status is ExecutionStatus.QUEUED and (manual_too or execution.trigger is Trigger.SCHEDULE)


def job_end_by_user(execution: Execution, job: JobState) -> InactiveReason | None:
    """What the user's cancelling of this execution makes of its job."""
    only_one = job.status is JobStatus.ACTIVE and _is_the_one_run(execution, job)
    return InactiveReason.CANCELLED if only_one else None


def finish(report: AttemptReport, execution: Execution, attempt: Attempt, job: JobState) -> Effect:
    """What a result does. Not accepted, it completes its attempt as late, unless that already has a result."""
    if not _accepts(report, execution):
        late = _completed(attempt, report, late=True) if attempt.outcome in (None, Outcome.LOST) else None
        return Effect(verdict=_refused(execution, report.attempt_no), attempt=late)
    match report.decision:
        case Succeed():
            after = _final(execution, ExecutionStatus.SUCCEEDED, None, report.finished_at)
        case GiveUp(reason=reason):
            after = _final(execution, ExecutionStatus.FAILED, reason, report.finished_at)
        case RetryAt(at=at):
            retry = evolve(execution, retries_used=execution.retries_used + 1)
            after = _queued_or_cancelled(retry, job, available_at=at, now=report.finished_at)
    completed = _completed(attempt, report, late=False)
    return _accepted(after, evolve(completed, next_attempt_at=_next_attempt_at(after)), _job_end(report, after, job))


def release(execution: Execution, attempt: Attempt, job: JobState, now: datetime) -> Effect:
    """What giving back a claim does whose request was not written: no retry is burnt, the attempt is hidden."""
    if not _is_held(execution, attempt.attempt_no):
        return Effect(verdict=_refused(execution, attempt.attempt_no))
    given_back = evolve(execution, releases=execution.releases + 1)
    after = _queued_or_cancelled(given_back, job, available_at=now, now=now)
    return _accepted(after, evolve(attempt, outcome=Outcome.RELEASED, finished_at=now), None)


def interrupt(execution: Execution, attempt: Attempt, job: JobState, now: datetime) -> Effect:
    """What cutting off a request in an orderly stop does: no retry is burnt, and no loss is counted.

    There is no bound on how often: each time an operator stopped a worker, and nothing suggests that the execution
    harms workers.
    """
    if not _is_held(execution, attempt.attempt_no):
        return Effect(verdict=_refused(execution, attempt.attempt_no))
    after = _queued_or_cancelled(execution, job, available_at=now, now=now)
    interrupted = evolve(
        attempt,
        outcome=Outcome.INTERRUPTED,
        error=INTERRUPTED_ERROR,
        finished_at=now,
        next_attempt_at=_next_attempt_at(after),
    )
    return _accepted(after, interrupted, None)


def lose(execution: Execution, attempt: Attempt, job: JobState, now: datetime) -> Effect:
    """What a dead worker does to an execution that it held: no retry is burnt, but the losses are counted."""
    if not _is_held(execution, attempt.attempt_no):
        return Effect(verdict=_refused(execution, attempt.attempt_no))
    after = evolve(execution, losses=execution.losses + 1)
    if after.losses >= MAX_LOSSES:
        after = _final(after, ExecutionStatus.FAILED, LOST, now)
    else:
        after = _queued_or_cancelled(after, job, available_at=now, now=now)
    lost = evolve(attempt, outcome=Outcome.LOST, finished_at=now, next_attempt_at=_next_attempt_at(after))
    return _accepted(after, lost, _one_time_end(after, job))


def _is_held(execution: Execution, attempt_no: int) -> bool:
    return execution.status is ExecutionStatus.RUNNING and execution.attempt_no == attempt_no


def _accepts(report: AttemptReport, execution: Execution) -> bool:
    if _is_held(execution, report.attempt_no):
        return True
    nobody_since = execution.status is ExecutionStatus.QUEUED and execution.attempt_no == report.attempt_no
    return nobody_since and isinstance(report.decision, Succeed)


def _final(execution: Execution, status: ExecutionStatus, reason: str | None, at: datetime) -> Execution:
    return evolve(execution, status=status, reason=reason, worker_id=None, finished_at=at)


def _queued_or_cancelled(execution: Execution, job: JobState, *, available_at: datetime, now: datetime) -> Execution:
    stopped = _stopped(execution, job)
    if stopped is not None:
        return cancelled(execution, stopped, now)
    return evolve(execution, status=ExecutionStatus.QUEUED, worker_id=None, available_at=available_at)


def _stopped(execution: Execution, job: JobState) -> str | None:
    """Why no further attempt of this execution may follow."""
    if job.is_deleted:
        return "deleted"
    if job.status is JobStatus.INACTIVE and job.inactive_reason is InactiveReason.GONE:
        return "gone"
    if job.status is JobStatus.PAUSED and execution.trigger is Trigger.SCHEDULE:
        return "paused"
    return None


def _next_attempt_at(execution: Execution) -> datetime | None:
    return execution.available_at if execution.status is ExecutionStatus.QUEUED else None


def _completed(attempt: Attempt, report: AttemptReport, *, late: bool) -> Attempt:
    result = report.result
    return evolve(
        attempt,
        outcome=result.outcome,
        late=late,
        error=result.error,
        response_status=result.response_status,
        response_headers=result.response_headers,
        response_body=result.response_body,
        response_truncated=result.response_truncated,
        duration=report.duration,
        finished_at=report.finished_at,
    )


def _job_end(report: AttemptReport, after: Execution, job: JobState) -> InactiveReason | None:
    if isinstance(report.decision, GiveUp) and report.decision.gone:
        already = job.status is JobStatus.INACTIVE and job.inactive_reason is InactiveReason.GONE
        return None if job.is_deleted or already else InactiveReason.GONE
    return _one_time_end(after, job)


def _one_time_end(after: Execution, job: JobState) -> InactiveReason | None:
    if job.status is JobStatus.INACTIVE or not _is_the_one_run(after, job):
        return None
    ends = {
        ExecutionStatus.SUCCEEDED: InactiveReason.COMPLETED,
        ExecutionStatus.FAILED: InactiveReason.FAILED,
    }
    return ends.get(after.status)


def _is_the_one_run(execution: Execution, job: JobState) -> bool:
    """Whether this is a one-time job's scheduled run, and the job was given no other instant since."""
    is_scheduled = execution.trigger is Trigger.SCHEDULE and execution.scheduled_for == job.run_at
    return is_scheduled and job.next_run is None


def _accepted(after: Execution, attempt: Attempt, job_end: InactiveReason | None) -> Effect:
    verdict = Verdict(
        execution_id=after.id,
        attempt_no=attempt.attempt_no,
        accepted=True,
        status=after.status,
        reason=after.reason,
        next_attempt_at=_next_attempt_at(after),
    )
    return Effect(verdict=verdict, execution=after, attempt=attempt, job_end=job_end)


def _refused(execution: Execution, attempt_no: int) -> Verdict:
    return Verdict(execution_id=execution.id, attempt_no=attempt_no, accepted=False, status=execution.status)
