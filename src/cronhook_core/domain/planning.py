"""What planning reads of a job and what it decides."""

from __future__ import annotations

from datetime import datetime

from attrs import frozen

from cronhook_core.domain.execution import Execution
from cronhook_core.domain.job import InactiveReason, Job
from cronhook_core.domain.schedule import Schedule


@frozen(kw_only=True)
class DueJob:
    """An active job that has a ``next_run``, with no more of it than planning needs."""

    id: str
    workspace_id: str
    host: str
    revision: int
    schedule: Schedule
    next_run: datetime
    planned_through: datetime | None
    updated_at: datetime

    @classmethod
    def of(cls, job: Job) -> DueJob:
        """What planning reads of ``job``; `ValueError` where it has no ``next_run``."""
        if job.next_run is None:
            raise ValueError("the job has nothing to plan")
        return cls(
            id=job.id,
            workspace_id=job.workspace_id,
            host=job.host,
            revision=job.revision,
            schedule=job.definition.schedule,
            next_run=job.next_run,
            planned_through=job.planned_through,
            updated_at=job.updated_at,
        )

    @property
    def due_since(self) -> datetime:
        """Since when it could have been planned: a single instant may be written when it has just passed."""
        return max(self.next_run, self.updated_at)


@frozen(kw_only=True)
class JobPlan:
    """One job's step: applied only if the job still has ``revision`` and ``expected_next_run`` and is active.

    ``execution`` is queued unless the same (job, instant) already is; it has the job's workspace and host, and may be
    claimed from its instant on. None when the job cannot be planned. With ``inactive_reason`` the job becomes inactive.
    """

    job_id: str
    revision: int
    expected_next_run: datetime
    next_run: datetime | None
    planned_through: datetime
    execution: Execution | None
    inactive_reason: InactiveReason | None = None


@frozen(kw_only=True)
class Rescheduling:
    """A job's ``next_run`` moves and nothing is queued: guarded as a `JobPlan` is.

    ``planned_through`` is replaced as well, if need be by an earlier instant or by None.
    """

    job_id: str
    revision: int
    expected_next_run: datetime
    next_run: datetime
    planned_through: datetime | None
