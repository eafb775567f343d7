"""Create: one short transaction for all the jobs that a workspace is given together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import BigInteger, Integer, LargeBinary, Text
from sqlalchemy.dialects import postgresql

from cronhook_core.backends.postgres.arrays import Column, binaries, instants, numbers, texts
from cronhook_core.backends.postgres.database import PostgresDatabase
from cronhook_core.backends.postgres.grouping import Grouped
from cronhook_core.backends.sql import rows
from cronhook_core.backends.sql.tables import jobs
from cronhook_core.backends.sql.types import Instant, JsonText, Tags
from cronhook_core.domain.job import Job
from cronhook_core.errors import CronhookError, NotFound, QuotaExceeded

AT_ONCE = 50
"""Jobs in one transaction, at most: with the longest payloads some 25 MB on the wire."""
_FIRST_COLUMN = 3
_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


def _unnested() -> str:
    types = {Instant: "timestamptz", BigInteger: "bigint", Integer: "int", LargeBinary: "bytea"}
    named = enumerate((types.get(type(column.type), "text") for column in jobs.c), _FIRST_COLUMN)
    return ", ".join(f"${number}::{name}[]" for number, name in named)


_COLUMNS = ", ".join(column.name for column in jobs.c)

LOCK_WORKSPACE = "SELECT id FROM workspaces WHERE id = $1::text FOR UPDATE"

CREATE = f"""
WITH workspace AS MATERIALIZED (
    SELECT coalesce(max_jobs, $2::int) AS most, open_jobs_bound AS bound FROM workspaces WHERE id = $1::text
), new AS MATERIALIZED (
    SELECT a.*, count(*) FILTER (WHERE a.status <> 'inactive') OVER (ORDER BY a.number) AS needed
    FROM unnest({_unnested()}) WITH ORDINALITY AS a ({_COLUMNS}, number)
    WHERE NOT EXISTS (SELECT FROM jobs j WHERE j.id = ANY (ARRAY[a.id]))
), filled AS MATERIALIZED (
    SELECT most, CASE
        WHEN most IS NULL OR bound + coalesce((SELECT max(needed) FROM new), 0) <= most THEN bound
        ELSE (
            SELECT count(*) FROM (
                SELECT FROM open_jobs WHERE workspace_id = $1::text LIMIT (SELECT most FROM workspace)
            ) AS counted
        )
    END AS jobs
    FROM workspace
), stored AS (
    INSERT INTO jobs ({_COLUMNS})
    SELECT {_COLUMNS} FROM new CROSS JOIN filled
    WHERE status = 'inactive' OR filled.most IS NULL OR filled.jobs + needed <= filled.most
    RETURNING id, workspace_id, status, next_run
), listed AS (
    INSERT INTO timetable (next_run, job_id)
    SELECT next_run, id FROM stored WHERE status = 'active' AND next_run IS NOT NULL
), opened AS (
    INSERT INTO open_jobs (workspace_id, job_id) SELECT workspace_id, id FROM stored WHERE status <> 'inactive'
    RETURNING job_id
), bounded AS (
    UPDATE workspaces w SET open_jobs_bound = b.jobs
    FROM (
        SELECT CASE WHEN jobs < most THEN jobs + (SELECT count(*) FROM opened) END AS jobs FROM filled
    ) AS b
    WHERE w.id = $1::text AND w.open_jobs_bound IS DISTINCT FROM b.jobs
)
SELECT most, ARRAY(SELECT id FROM new EXCEPT SELECT id FROM stored) FROM workspace
"""
"""The limit, and the ids of jobs that there was no room for; no row where there is no such workspace.

Races. `LOCK_WORKSPACE` goes before, in the same transaction: whoever adds a job to the workspace or revives one locks
its row first, so no other one is counted or added until we commit. This statement begins when the lock is held, and so
its snapshot (READ COMMITTED) has all that was committed before. ``open_jobs_bound`` is kept under that lock, too; jobs
that end leave it as it is, and so it is never too low (`cronhook_core.backends.sql.tables`). A job that is there
already was stored by the same statement, whose answer was lost: it needs no room, and a repeat does no harm.
"""


class NewJobs:
    """Stores new jobs of which no answer has to be kept; workspaces do not wait for each other."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._groups: dict[tuple[str, int | None], Grouped[Job, CronhookError | None]] = {}

    async def add(self, job: Job, max_jobs: int | None) -> None:
        """As `JobCatalog.create_job`."""
        key = (job.workspace_id, max_jobs)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Grouped(self._storing(*key), at_most=AT_ONCE)
        try:
            refusal = await group.ask(job)
        finally:
            if group.idle and self._groups.get(key) is group:
                del self._groups[key]
        if refusal is not None:
            raise refusal

    def _storing(self, workspace_id: str, max_jobs: int | None) -> Callable[[Sequence[Job]], Any]:
        async def store(asked: Sequence[Job]) -> Sequence[CronhookError | None]:
            different = list({job.id: job for job in reversed(asked)}.values())[::-1]
            create = (CREATE, [workspace_id, max_jobs, *_columns(different)])
            found = await self._database.execute_all([(LOCK_WORKSPACE, [workspace_id]), create])
            if not found:
                return [NotFound("workspace", workspace_id) for _ in asked]
            [(most, refused)] = found
            return [QuotaExceeded(most) if job.id in refused else None for job in asked]

        return store


def _columns(new: Sequence[Job]) -> list[Column]:
    values = [rows.job_values(job) for job in new]
    return [write([row[name] for row in values]) for name, write in _WRITE.items()]


def _written(column_type: JsonText | Tags) -> Callable[[Iterable[Any]], Column]:
    return lambda values: texts([column_type.process_bind_param(value, _DIALECT) for value in values])


_BY_TYPE: dict[type, Callable[[Iterable[Any]], Column]] = {
    Instant: instants,
    BigInteger: numbers,
    Integer: numbers,
    LargeBinary: binaries,
    Text: texts,
    JsonText: _written(JsonText()),
    Tags: _written(Tags()),
}
_WRITE = {column.name: _BY_TYPE[type(column.type)] for column in jobs.c}
