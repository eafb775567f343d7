"""Create: one short transaction for all the jobs that a workspace is given together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from attrs import frozen
from sqlalchemy import BigInteger, Integer, LargeBinary, Text
from sqlalchemy.dialects import postgresql

from cronhook_core.backends.postgres.answered import Answered, answered_from
from cronhook_core.backends.postgres.arrays import Column, binaries, instants, numbers, texts
from cronhook_core.backends.postgres.database import PostgresDatabase
from cronhook_core.backends.postgres.grouping import Grouped
from cronhook_core.backends.sql import rows
from cronhook_core.backends.sql.tables import jobs
from cronhook_core.backends.sql.types import Instant, JsonText, Tags
from cronhook_core.domain.idempotency import KEPT_FOR, IdempotentRequest, StoredAnswer
from cronhook_core.domain.job import Job
from cronhook_core.errors import CronhookError, NotFound, QuotaExceeded

AT_ONCE = 25
"""Jobs in one transaction, at most: with the longest payloads some 13 MB on the wire."""
_FIRST_COLUMN = 11
_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


def _unnested() -> str:
    types = {Instant: "timestamptz", BigInteger: "bigint", Integer: "int", LargeBinary: "bytea"}
    named = enumerate((types.get(type(column.type), "text") for column in jobs.c), _FIRST_COLUMN)
    return ", ".join(f"${number}::{name}[]" for number, name in named)


_NAMES = [column.name for column in jobs.c]
_COLUMNS = ", ".join(_NAMES)
_IDS, _WORKSPACES = (f"${_FIRST_COLUMN + _NAMES.index(name)}::text[]" for name in ("id", "workspace_id"))
_ANSWER = "fingerprint, created_at, status, headers, body, payload_at"

LOCK_WORKSPACE = "SELECT id FROM workspaces WHERE id = $1::text FOR UPDATE"

CREATE = f"""
WITH workspace AS MATERIALIZED (
    SELECT coalesce(max_jobs, $2::int) AS most, open_jobs_bound AS bound FROM workspaces WHERE id = $1::text
), answered AS MATERIALIZED (
    SELECT k.id, r.fingerprint, r.status, r.headers, r.body, r.payload_at
    FROM unnest({_IDS}, {_WORKSPACES}, $3::text[], $4::text[], $6::timestamptz[])
        AS k (id, workspace_id, path, key, now)
    JOIN idempotency_records r
        ON r.workspace_id = ANY (ARRAY[k.workspace_id]) AND r.path = ANY (ARRAY[k.path]) AND r.key = ANY (ARRAY[k.key])
    WHERE CASE WHEN r.key = k.key THEN r.created_at > k.now - interval '{KEPT_FOR.total_seconds():.0f} s' ELSE false END
      AND NOT EXISTS (SELECT FROM jobs j WHERE j.id = ANY (ARRAY[k.id]))
), new AS MATERIALIZED (
    SELECT a.*, count(*) FILTER (WHERE a.status <> 'inactive') OVER (ORDER BY a.number) AS needed
    FROM unnest({_unnested()}) WITH ORDINALITY AS a ({_COLUMNS}, number)
    WHERE NOT EXISTS (SELECT FROM jobs j WHERE j.id = ANY (ARRAY[a.id])) AND a.id NOT IN (SELECT id FROM answered)
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
), kept AS (
    INSERT INTO idempotency_records (workspace_id, path, key, {_ANSWER})
    SELECT $1::text, path, key, {_ANSWER}
    FROM unnest(
        {_IDS}, $3::text[], $4::text[], $5::bytea[], $6::timestamptz[], $7::smallint[], $8::text[], $9::bytea[],
        $10::int[]
    ) AS k (id, path, key, {_ANSWER})
    WHERE key IS NOT NULL AND id IN (SELECT id FROM stored)
    ON CONFLICT (workspace_id, path, key) DO UPDATE
    SET ({_ANSWER}) = ROW ({", ".join(f"excluded.{name}" for name in _ANSWER.split(", "))})
), bounded AS (
    UPDATE workspaces w SET open_jobs_bound = b.jobs
    FROM (
        SELECT CASE WHEN jobs < most THEN jobs + (SELECT count(*) FROM opened) END AS jobs FROM filled
    ) AS b
    WHERE w.id = $1::text AND w.open_jobs_bound IS DISTINCT FROM b.jobs
)
SELECT
    w.most, ARRAY(SELECT id FROM new EXCEPT SELECT id FROM stored),
    a.id, a.fingerprint, a.status, a.headers, a.body, a.payload_at
FROM workspace w LEFT JOIN answered a ON true
"""
"""The limit, and the ids of jobs that there was no room for, in each row; no row where there is no such workspace.

A row for each job whose request was answered before by another one, with that answer; one row where there is none.

Races. `LOCK_WORKSPACE` goes before, in the same transaction: whoever adds a job to the workspace or revives one locks
its row first, so no other one is counted or added until we commit. This statement begins when the lock is held, and so
its snapshot (READ COMMITTED) has all that was committed before. ``open_jobs_bound`` is kept under that lock, too; jobs
that end leave it as it is, and so it is never too low (`cronhook_core.backends.sql.tables`). A job that is there
already was stored by the same statement, whose answer was lost: it needs no room, and a repeat does no harm. Answers
are kept under the lock as well; the one that a key has already, where there is one, is too old to count. For ``CASE``
see `ANSWERED`.
"""


@frozen(kw_only=True)
class Kept:
    """The answer to a request that may be repeated, to be kept for its repeats."""

    request: IdempotentRequest
    answer: StoredAnswer

    @property
    def name(self) -> tuple[str, str]:
        return self.request.path, self.request.key


@frozen(kw_only=True)
class _New:
    """A job that is asked for, and the answer to be kept beside it."""

    job: Job
    now: datetime
    kept: Kept | None


class NewJobs:
    """Stores new jobs; workspaces do not wait for each other."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._groups: dict[tuple[str, int | None], Grouped[_New, CronhookError | None]] = {}

    async def add(self, job: Job, *, max_jobs: int | None, now: datetime, kept: Kept | None) -> None:
        """As `JobCatalog.create_job`."""
        key = (job.workspace_id, max_jobs)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Grouped(self._storing(*key), at_most=AT_ONCE)
        try:
            refusal = await group.ask(_New(job=job, now=now, kept=kept))
        finally:
            if group.idle and self._groups.get(key) is group:
                del self._groups[key]
        if refusal is not None:
            raise refusal

    def _storing(self, workspace_id: str, max_jobs: int | None) -> Callable[[Sequence[_New]], Any]:
        async def store(asked: Sequence[_New]) -> Sequence[CronhookError | None]:
            different = list({one.job.id: one for one in reversed(asked)}.values())[::-1]
            firsts = _firsts(different)
            new = [one for one in different if firsts[one.job.id] is one]
            create = (CREATE, [workspace_id, max_jobs, *_records(new), *_columns([one.job for one in new])])
            found = await self._database.execute_all([(LOCK_WORKSPACE, [workspace_id]), create])
            if not found:
                return [NotFound("workspace", workspace_id) for _ in asked]
            most, without_room = found[0][:2]
            answered = {row[2]: answered_from(row[3:]) for row in found if row[2] is not None}
            refusals: dict[str, CronhookError | None] = {}
            for one in different:
                first = firsts[one.job.id]
                refused = first.job.id in without_room
                refusal = QuotaExceeded(most) if refused else _refusal(one, first, answered.get(first.job.id))
                refusals[one.job.id] = refusal
            return [refusals[one.job.id] for one in asked]

        return store


def _firsts(new: Sequence[_New]) -> dict[str, _New]:
    """For each job's id the first one that was asked for under the same key, which may be itself."""
    of_key: dict[tuple[str, str], _New] = {}
    return {one.job.id: of_key.setdefault(one.kept.name, one) if one.kept else one for one in new}


def _refusal(one: _New, first: _New, answered: Answered | None) -> CronhookError | None:
    """Whether it is a repeat: of what was answered before, or of the first one under its key."""
    if one.kept is None:
        return None
    if answered is None and first.kept is not None and first is not one:
        answered = Answered(first.kept.request.fingerprint, first.kept.answer)
    return None if answered is None else answered.refusal_of(one.kept.request)


def _records(new: Sequence[_New]) -> list[Column]:
    kept = [one.kept for one in new]
    return [
        texts([None if k is None else k.request.path for k in kept]),
        texts([None if k is None else k.request.key for k in kept]),
        binaries([None if k is None else k.request.fingerprint for k in kept]),
        instants([one.now for one in new]),
        numbers([None if k is None else k.answer.status for k in kept]),
        texts([None if k is None else _JSON.process_bind_param(k.answer.headers, _DIALECT) for k in kept]),
        binaries([None if k is None else k.answer.body for k in kept]),
        numbers([None if k is None else k.answer.payload_at for k in kept]),
    ]


def _columns(new: Sequence[Job]) -> list[Column]:
    values = [rows.job_values(job) for job in new]
    return [write([row[name] for row in values]) for name, write in _WRITE.items()]


def _written(column_type: JsonText | Tags) -> Callable[[Iterable[Any]], Column]:
    return lambda values: texts([column_type.process_bind_param(value, _DIALECT) for value in values])


_JSON = JsonText()
_BY_TYPE: dict[type, Callable[[Iterable[Any]], Column]] = {
    Instant: instants,
    BigInteger: numbers,
    Integer: numbers,
    LargeBinary: binaries,
    Text: texts,
    JsonText: _written(_JSON),
    Tags: _written(Tags()),
}
_WRITE = {column.name: _BY_TYPE[type(column.type)] for column in jobs.c}
