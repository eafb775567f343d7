"""Removing the jobs that ended long ago, a bounded slice at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from attrs import frozen
from sqlalchemy import Connection, delete, select

from cronhook_core.backends.sql.database import SqlDatabase
from cronhook_core.backends.sql.tables import executions, jobs
from cronhook_core.domain.ids import first_id_after
from cronhook_core.domain.job import JobStatus

SLICES = 20
"""Slices that one call looks at, at most; each has as many jobs as the call may still remove."""
_BEGINNING = ""


class PrunedJobs:
    """Removes jobs that ended, and remembers where it was.

    A job ended after it was created, and ids are in the order of creation, so that old jobs are found in that order.
    No index says which of them have ended: an update that ends a job would have to write it. Old jobs that are not over
    may be many, so each call goes on where the last one stopped.
    """

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database
        self._place = _BEGINNING

    async def prune(self, before: datetime, limit: int) -> int:
        removed = 0
        for _ in range(SLICES):
            found = await self._database.read(look, before, self._place, limit - removed)
            if found.ended:
                removed += await self._database.write(remove, found.ended, before)
            self._place = found.last_id
            if removed >= limit or self._place == _BEGINNING:
                break
        return removed


@frozen(kw_only=True)
class Slice:
    """``ended`` of the jobs that were looked at; ``last_id`` of all of them, empty after the last one."""

    ended: Sequence[str]
    last_id: str


def look(connection: Connection, before: datetime, place: str, limit: int) -> Slice:
    old = [jobs.c.id > place, jobs.c.id < first_id_after("job", before)]
    query = select(jobs.c.id, jobs.c.status, jobs.c.updated_at).where(*old).order_by(jobs.c.id).limit(limit)
    rows = connection.execute(query).all()
    return Slice(
        ended=[row.id for row in rows if row.status == JobStatus.INACTIVE and row.updated_at < before],
        last_id=rows[-1].id if len(rows) == limit else _BEGINNING,
    )


def remove(connection: Connection, job_ids: Sequence[str], before: datetime) -> int:
    """Whoever adds an execution holds the job's row. So executions are looked for once these rows are held.

    A row that somebody else holds is passed over.
    """
    ended = select(jobs.c.id).where(
        jobs.c.id.in_(job_ids), jobs.c.status == JobStatus.INACTIVE, jobs.c.updated_at < before
    )
    held = connection.execute(ended.order_by(jobs.c.id).with_for_update(skip_locked=True)).scalars().all()
    if not held:
        return 0
    # A range and its order leave the database no way but the index over a job's executions.
    any_execution = (
        select(executions.c.id)
        .where(executions.c.job_id >= jobs.c.id, executions.c.job_id <= jobs.c.id)
        .order_by(executions.c.job_id, executions.c.id)
        .limit(1)
        .scalar_subquery()
    )
    return connection.execute(delete(jobs).where(jobs.c.id.in_(held), any_execution.is_(None))).rowcount
