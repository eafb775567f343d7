"""Forgetting what is old, a bounded slice at a time."""

from __future__ import annotations

from datetime import datetime

from cronhook_core.backends.postgres.database import PostgresDatabase
from cronhook_core.domain.idempotency import KEPT_FOR
from cronhook_core.domain.ids import first_id_after

SLICE = 2000
"""Executions that one statement looks at, and records that one deletes, at most."""
SLICES = 10
"""Statements of one call, at most."""

FORGET = "DELETE FROM workers WHERE buried_at < $1::timestamptz"

EXPIRE = """
WITH expired AS (
    DELETE FROM idempotency_records
    WHERE ctid = ANY (ARRAY(SELECT ctid FROM idempotency_records WHERE created_at < $1::timestamptz LIMIT $2::int))
      AND created_at < $1::timestamptz
    RETURNING 1
)
SELECT count(*) FROM expired
"""
"""A key that is used again after its time writes its record anew; what is waited for is therefore judged again."""

PRUNE = """
WITH looked_at AS MATERIALIZED (
    SELECT id, job_id, workspace_id, finished_at FROM executions
    WHERE id > $2::text AND id < $5::text
    ORDER BY id
    LIMIT $4::int
), old AS MATERIALIZED (
    SELECT e.id FROM executions e
    WHERE e.id = ANY (ARRAY(
        SELECT l.id FROM looked_at l
        WHERE l.finished_at < $1::timestamptz
          AND (
            (
                SELECT true FROM executions newer
                WHERE (newer.job_id, newer.id) > (l.job_id, l.id) AND newer.job_id <= l.job_id
                ORDER BY newer.job_id, newer.id
                LIMIT 1
            )
            OR (SELECT true FROM open_jobs o WHERE o.workspace_id = l.workspace_id AND o.job_id = l.job_id) IS NULL
          )
        ORDER BY l.id
        LIMIT $3::int
    ))
    ORDER BY e.id || ''
    FOR UPDATE SKIP LOCKED
), old_attempts AS (
    DELETE FROM job_logs WHERE execution_id = ANY (ARRAY(SELECT id FROM old))
), pruned AS (
    DELETE FROM executions WHERE id = ANY (ARRAY(SELECT id FROM old)) RETURNING id
)
SELECT (SELECT count(*) FROM pruned), (SELECT count(*) FROM looked_at), (SELECT max(id) FROM looked_at)
"""
"""Races. What is final never changes again, and a newer execution never goes before an older one does: so a row that
may go when it is looked at may go for ever. So may the newest execution of a job that has ended, also where the job
comes back at that moment. Two that prune at once skip what the other holds.
"""


_BEGINNING = ""


class Pruning:
    """Deletes old executions, and remembers where it was.

    What ended before an instant was due before it, so that it is found in the order of ids, which is that of time.
    The newest execution of a job that has not ended stays. Where there are millions of jobs that run once a year, no
    look may begin with all of those again, so each goes on where the last one ended, and from the beginning when it
    came to the end.
    """

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._place = _BEGINNING

    async def prune(self, before: datetime, limit: int, now: datetime) -> int:
        pruned = 0
        for _ in range(SLICES):
            pruned += await self._slice(before, limit - pruned)
            if pruned >= limit or self._place == _BEGINNING:
                break
        await self._database.execute(FORGET, [before])
        await self._expire(now - KEPT_FOR)
        return pruned

    async def _expire(self, before: datetime) -> None:
        for _ in range(SLICES):
            [(expired,)] = await self._database.execute(EXPIRE, [before, SLICE])
            if expired < SLICE:
                return

    async def _slice(self, before: datetime, limit: int) -> int:
        bound = first_id_after("exe", before)
        parameters = [before, self._place, limit, SLICE, bound]
        [(pruned, looked_at, last_id)] = await self._database.execute(PRUNE, parameters)
        if looked_at < SLICE:
            self._place = _BEGINNING
        elif pruned < limit:
            self._place = last_id
        return int(pruned)
