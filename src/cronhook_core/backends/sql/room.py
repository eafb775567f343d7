"""What a workspace may have: checked against what its row says, which is locked, and written back there."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, func, select, update

from cronhook_core.backends.sql import reads, rows
from cronhook_core.backends.sql.tables import KEPT, jobs, workspaces
from cronhook_core.domain.idempotency import DayCount, IdempotentRequest
from cronhook_core.domain.queue_bounds import QueueBounds
from cronhook_core.errors import Quota, QuotaExceeded

RECOUNTED_AFTER = timedelta(minutes=1)

_LOCK_WORKSPACE = select(workspaces).where(workspaces.c.id == bindparam("locked_id")).with_for_update()
_SAVE = update(workspaces).where(workspaces.c.id == bindparam("saved_id"))
_STORED_BYTES = select(func.coalesce(func.sum(jobs.c.stored_bytes), 0)).where(
    jobs.c.workspace_id == bindparam("counted_id"), KEPT
)


class Room:
    """The room that one write takes in its workspace; `take` writes what the other methods found.

    They raise `QuotaExceeded` where there is none; None as a limit: there is none. See `workspaces` for the columns.
    """

    def __init__(self, connection: Connection, workspace: rows.AnyRow) -> None:
        self._connection = connection
        self._workspace = workspace
        self._changes: rows.Values = {}

    @classmethod
    def lock(cls, connection: Connection, workspace_id: str) -> Room | None:
        """The room in a workspace, whose row is locked; None where there is no such workspace."""
        row = connection.execute(_LOCK_WORKSPACE, {"locked_id": workspace_id}).one_or_none()
        return None if row is None else cls(connection, row)

    def for_open_job(self, max_jobs: int | None) -> None:
        workspace = self._workspace
        limit = max_jobs if workspace.max_jobs is None else workspace.max_jobs
        bound: int | None = None
        if limit is not None:
            bound = workspace.open_jobs_bound
            if bound is None or bound >= limit:
                bound = reads.count_jobs(self._connection, workspace.id, up_to=limit)
            if bound >= limit:
                raise QuotaExceeded(limit)
            bound += 1
        self._changes["open_jobs_bound"] = bound

    def for_bytes(self, more: int, limit: int | None) -> None:
        """``more`` may be negative."""
        bound = self._workspace.stored_bytes_bound + more
        if limit is not None and more > 0 and bound > limit:
            raise QuotaExceeded(limit, Quota.STORED_BYTES)
        self._changes["stored_bytes_bound"] = max(0, bound)

    def for_queued(self, job_id: str, bounds: QueueBounds) -> None:
        """For one more execution that a user queues.

        A job has no more of them than its workspace: it is counted only where the workspace has as many as a job may.
        """
        workspace_id: str = self._workspace.id
        bound: int | None = self._workspace.queued_bound
        if bounds.per_workspace is not None and (bound is None or bound >= bounds.per_workspace):
            bound = reads.count_queued(self._connection, workspace_id, up_to=bounds.per_workspace)
            bounds.check_workspace(bound)
        if bounds.per_job is not None and (bound is None or bound >= bounds.per_job):
            bounds.check_job(reads.count_queued(self._connection, workspace_id, job_id, up_to=bounds.per_job))
        self._changes["queued_bound"] = None if bounds.per_workspace is None or bound is None else bound + 1

    def for_answer(self, request: IdempotentRequest | None, now: datetime) -> None:
        if request is None or request.max_records is None:
            return
        count = DayCount(since=self._workspace.records_since, kept=self._workspace.records_kept)
        more = count.with_one_more(request.max_records, now)
        self._changes |= {"records_since": more.since, "records_kept": more.kept}

    def take(self) -> None:
        changes = {name: value for name, value in self._changes.items() if value != getattr(self._workspace, name)}
        if changes:
            self._connection.execute(_SAVE, {"saved_id": self._workspace.id, **changes})


def recount_bytes(connection: Connection, workspace_id: str, now: datetime) -> bool:
    """Make the bound on stored bytes exact. False, and nothing done, where that was done less than a minute ago."""
    workspace = connection.execute(_LOCK_WORKSPACE, {"locked_id": workspace_id}).one_or_none()
    if workspace is None or _is_recent(workspace.stored_bytes_counted_at, now):
        return False
    counted = connection.execute(_STORED_BYTES, {"counted_id": workspace_id}).scalar_one()
    connection.execute(
        _SAVE, {"saved_id": workspace_id, "stored_bytes_bound": int(counted), "stored_bytes_counted_at": now}
    )
    return True


def _is_recent(counted_at: datetime | None, now: datetime) -> bool:
    return counted_at is not None and counted_at <= now < counted_at + RECOUNTED_AFTER
