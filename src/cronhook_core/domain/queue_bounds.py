"""How many executions users may have queued by runs and replays."""

from __future__ import annotations

from attrs import frozen

from cronhook_core.errors import Quota, QuotaExceeded


@frozen(kw_only=True)
class QueueBounds:
    """At most so many executions that runs and replays queued and that have not ended; None: no bound.

    A job's schedule queues few at a time; what users queue grows as fast as they ask, and all that is queued of a job
    is cancelled together.
    """

    per_job: int | None = 10_000
    per_workspace: int | None = 100_000

    def check_job(self, queued: int) -> None:
        """Raise `QuotaExceeded` where a job that has ``queued`` of them may have no further one."""
        if self.per_job is not None and queued >= self.per_job:
            raise QuotaExceeded(self.per_job, Quota.QUEUED_OF_JOB)

    def check_workspace(self, queued: int) -> None:
        """The same of a workspace."""
        if self.per_workspace is not None and queued >= self.per_workspace:
            raise QuotaExceeded(self.per_workspace, Quota.QUEUED_OF_WORKSPACE)


UNBOUNDED = QueueBounds(per_job=None, per_workspace=None)
