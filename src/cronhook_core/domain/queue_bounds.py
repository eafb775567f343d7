"""How many executions users may have queued by runs and replays."""

from __future__ import annotations

from attrs import frozen

from cronhook_core.errors import QuotaExceeded


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
            raise _exceeded("job", self.per_job)

    def check_workspace(self, queued: int) -> None:
        """The same of a workspace."""
        if self.per_workspace is not None and queued >= self.per_workspace:
            raise _exceeded("workspace", self.per_workspace)


UNBOUNDED = QueueBounds(per_job=None, per_workspace=None)


def _exceeded(owner: str, limit: int) -> QuotaExceeded:
    return QuotaExceeded(
        limit,
        f"the {owner} already has its maximum of {limit} executions queued by runs and replays;"
        " wait until some have ended, or cancel some",
    )
