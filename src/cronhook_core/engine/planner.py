"""The planning rule: what follows from a due job at an instant. Pure arithmetic, no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from cronhook_core.domain.execution import Execution, Trigger
from cronhook_core.domain.ids import scheduled_execution_id
from cronhook_core.domain.job import InactiveReason
from cronhook_core.domain.planning import DueJob, JobPlan
from cronhook_core.domain.schedule import CatchUp, CronSchedule, Schedule
from cronhook_core.errors import InvalidRequest

_NOTHING_MISSED = CatchUp()


def plan_jobs(due: Sequence[DueJob], now: datetime) -> list[JobPlan]:
    """One plan for each due job; a job that cannot be planned any more gets one that makes it inactive."""
    return [plan_job(job, now) for job in due]


def plan_job(job: DueJob, now: datetime) -> JobPlan:
    """Queue the latest instant that has passed, count the earlier ones on it, and move on.

    ``now`` must not be before the job's ``next_run``. A one-time job runs however late it is.
    """
    recurs = isinstance(job.schedule, CronSchedule)
    try:
        missed = _catch_up(job.schedule, job.next_run, minute_of(now)) if recurs else _NOTHING_MISSED
        latest = missed.latest or job.next_run
        planned_through = max(latest, job.planned_through or latest)
        next_run = next_after(job.schedule, minute_of(max(now, planned_through))) if recurs else None
    except InvalidRequest:  # its zone or its line means nothing any more
        return unplannable(job)
    return JobPlan(
        job_id=job.id,
        revision=job.revision,
        expected_next_run=job.next_run,
        next_run=next_run,
        planned_through=planned_through,
        execution=_execution(job, latest, missed, now),
        inactive_reason=InactiveReason.EXHAUSTED if recurs and next_run is None else None,
    )


def _execution(job: DueJob, scheduled_for: datetime, missed: CatchUp, now: datetime) -> Execution:
    return Execution(
        id=scheduled_execution_id(job.id, scheduled_for),
        job_id=job.id,
        workspace_id=job.workspace_id,
        host=job.host,
        trigger=Trigger.SCHEDULE,
        scheduled_for=scheduled_for,
        available_at=scheduled_for,
        created_at=now,
        missed_count=missed.missed_count,
        missed_from=missed.missed_from,
    )


def unplannable(job: DueJob) -> JobPlan:
    """The plan that makes a job inactive which has no next instant any more."""
    return JobPlan(
        job_id=job.id,
        revision=job.revision,
        expected_next_run=job.next_run,
        next_run=None,
        planned_through=job.planned_through or job.next_run,
        execution=None,
        inactive_reason=InactiveReason.UNPLANNABLE,
    )


def minute_of(instant: datetime) -> datetime:
    """Cron instants fall on whole minutes, so what follows an instant depends on its minute only."""
    return instant.replace(second=0, microsecond=0)


@lru_cache(maxsize=8192)
def next_after(schedule: Schedule, minute: datetime) -> datetime | None:
    """As the schedule says, computed once for all jobs of a line and zone."""
    return schedule.next_after(minute)


@lru_cache(maxsize=8192)
def _catch_up(schedule: Schedule, first: datetime, minute: datetime) -> CatchUp:
    return schedule.catch_up(first, minute)
