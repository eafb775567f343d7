from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import dropwhile, islice, takewhile

from attrs import evolve

from cronhook_core.backends.memory.database import MemoryDatabase
from cronhook_core.domain.execution import Execution, QueueMessage
from cronhook_core.domain.job import Job
from cronhook_core.domain.planning import DueJob, JobPlan, Rescheduling
from cronhook_core.domain.transitions import JobState, is_claimable, is_suspect, plan_applies, planned


class MemoryPlanningStore:
    def __init__(self, database: MemoryDatabase) -> None:
        self._db = database

    async def due_jobs(self, now: datetime, limit: int, *, after: DueJob | None = None) -> Sequence[DueJob]:
        due: Iterator[tuple[datetime, Job]] = takewhile(lambda entry: entry[0] <= now, self._db.jobs.due())
        if after is not None:
            last = (after.next_run, after.id)
            due = dropwhile(lambda entry: (entry[0], entry[1].id) <= last, due)
        return [DueJob.of(job) for _, job in islice(due, limit)]

    async def plan(self, plans: Sequence[JobPlan], now: datetime, *, wait: bool = False) -> Sequence[str]:
        return [queued for plan in plans if (queued := self._plan(plan, now)) is not None]

    async def ready(
        self,
        now: datetime,
        limit: int,
        *,
        skip_hosts: Sequence[str] = (),
        skip_workspaces: Sequence[str] = (),
        with_suspects: bool = True,
        after: datetime | None = None,
    ) -> Sequence[QueueMessage]:
        hosts, workspaces = frozenset(skip_hosts), frozenset(skip_workspaces)
        wanted = (
            QueueMessage.of(execution)
            for execution in self._claimable(now, after)
            if execution.host not in hosts
            and execution.workspace_id not in workspaces
            and (with_suspects or not is_suspect(execution))
        )
        return list(islice(wanted, limit))

    async def next_due(self, now: datetime) -> datetime | None:
        job = next((next_run for next_run, _ in self._db.jobs.due()), None)
        execution = next((execution.available_at for execution in self._db.executions.queued(after=now)), None)
        return min((instant for instant in (job, execution) if instant is not None), default=None)

    async def zone_rules(self) -> str | None:
        return self._db.zone_rules

    async def remember_zone_rules(self, version: str) -> None:
        self._db.zone_rules = version

    async def upcoming_jobs(self, beyond: datetime, limit: int, *, after: DueJob | None = None) -> Sequence[DueJob]:
        place = None if after is None else (after.next_run, after.id)
        found = (
            DueJob.of(job) for next_run, job in self._db.jobs.due(beyond) if place is None or (next_run, job.id) > place
        )
        return list(islice(found, limit))

    async def reschedule(self, moves: Sequence[Rescheduling]) -> int:
        return sum([self._reschedule(move) for move in moves])

    def _reschedule(self, move: Rescheduling) -> bool:
        job = self._db.jobs.get(move.job_id)
        if job is None or not plan_applies(move, JobState.of(job)):
            return False
        self._db.jobs.put(evolve(job, next_run=move.next_run, planned_through=move.planned_through))
        return True

    def _plan(self, plan: JobPlan, now: datetime) -> str | None:
        job = self._db.jobs.get(plan.job_id)
        if job is None or not plan_applies(plan, JobState.of(job)):
            return None
        self._db.jobs.put(_planned(job, plan, now))
        execution = plan.execution
        if execution is None or self._db.executions.is_scheduled(execution.job_id, execution.scheduled_for):
            return None
        self._db.executions.put(execution)
        return execution.id

    def _claimable(self, now: datetime, after: datetime | None) -> Iterator[Execution]:
        available = takewhile(lambda execution: execution.available_at <= now, self._db.executions.queued(after))
        return (e for e in available if is_claimable(e, JobState.of(self._db.jobs[e.job_id]), now))


def _planned(job: Job, plan: JobPlan, now: datetime) -> Job:
    after = planned(plan, JobState.of(job))
    return evolve(
        job,
        status=after.status,
        inactive_reason=after.inactive_reason,
        revision=after.revision,
        next_run=after.next_run,
        planned_through=after.planned_through,
        updated_at=job.updated_at if plan.inactive_reason is None else now,
    )
