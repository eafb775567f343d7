"""Create: one short transaction for all the jobs that a workspace is given together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
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
from cronhook_core.errors import CronhookError, NotFound, Quota, QuotaExceeded

AT_ONCE = 25
"""Jobs in one transaction, at most: with the longest payloads some 13 MB on the wire."""
_FIRST_COLUMN = 13
_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


def _unnested() -> str:
    types = {Instant: "timestamptz", BigInteger: "bigint", Integer: "int", LargeBinary: "bytea"}
    named = enumerate((types.get(type(column.type), "text") for column in jobs.c), _FIRST_COLUMN)
    return ", ".join(f"${number}::{name}[]" for number, name in named)


_NAMES = [column.name for column in jobs.c]
_COLUMNS = ", ".join(_NAMES)
_IDS, _WORKSPACES = (f"${_FIRST_COLUMN + _NAMES.index(name)}::text[]" for name in ("id", "workspace_id"))
_ANSWER = "fingerprint, created_at, status, headers, body, payload_at"

_DAY = f"interval '{KEPT_FOR.total_seconds():.0f} s'"
_NOW = "($6::timestamptz[])[1]"
_TODAY = f"records_since <= {_NOW} AND records_since > {_NOW} - {_DAY}"

LOCK_WORKSPACE = "SELECT id FROM workspaces WHERE id = $1::text FOR UPDATE"

CREATE = f"""
WITH workspace AS MATERIALIZED (
    SELECT
        coalesce(max_jobs, $2::int) AS most, open_jobs_bound AS bound, stored_bytes_bound AS bytes,
        CASE WHEN {_TODAY} THEN records_since ELSE {_NOW} END AS since,
        CASE WHEN {_TODAY} THEN records_kept ELSE 0 END AS records
    FROM workspaces WHERE id = $1::text
), answered AS MATERIALIZED (
    SELECT k.id, r.fingerprint, r.status, r.headers, r.body, r.payload_at
    FROM unnest({_IDS}, {_WORKSPACES}, $3::text[], $4::text[], $6::timestamptz[])
        AS k (id, workspace_id, path, key, now)
    JOIN idempotency_records r
        ON r.workspace_id = ANY (ARRAY[k.workspace_id]) AND r.path = ANY (ARRAY[k.path]) AND r.key = ANY (ARRAY[k.key])
    WHERE CASE WHEN r.key = k.key THEN r.created_at > k.now - {_DAY} ELSE false END
      AND NOT EXISTS (SELECT FROM jobs j WHERE j.id = ANY (ARRAY[k.id]))
), new AS MATERIALIZED (
    SELECT
        a.*, count(*) FILTER (WHERE a.status <> 'inactive') OVER numbered AS needed,
        sum(a.stored_bytes) OVER numbered AS needed_bytes, count(a.max_records) OVER numbered AS needed_records
    FROM unnest({_unnested()}, $12::int[]) WITH ORDINALITY AS a ({_COLUMNS}, max_records, number)
    WHERE NOT EXISTS (SELECT FROM jobs j WHERE j.id = ANY (ARRAY[a.id])) AND a.id NOT IN (SELECT id FROM answered)
    WINDOW numbered AS (ORDER BY a.number)
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
), judged AS MATERIALIZED (
    SELECT new.*, CASE
        WHEN new.status <> 'inactive' AND f.jobs + new.needed > f.most THEN '{Quota.JOBS}'
        WHEN w.bytes + new.needed_bytes > $11::bigint THEN '{Quota.STORED_BYTES}'
        WHEN w.records + new.needed_records > new.max_records THEN '{Quota.IDEMPOTENCY_RECORDS}'
    END AS reached
    FROM new CROSS JOIN filled f CROSS JOIN workspace w
), stored AS (
    INSERT INTO jobs ({_COLUMNS}) SELECT {_COLUMNS} FROM judged WHERE reached IS NULL
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
    UPDATE workspaces w
    SET open_jobs_bound = b.jobs, stored_bytes_bound = b.bytes,
        records_since = CASE WHEN b.added > 0 THEN b.since ELSE w.records_since END,
        records_kept = CASE WHEN b.added > 0 THEN b.records + b.added ELSE w.records_kept END
    FROM (
        SELECT
            CASE WHEN f.jobs < f.most THEN f.jobs + (SELECT count(*) FROM opened) END AS jobs,
            before.bytes + (SELECT coalesce(sum(stored_bytes), 0) FROM judged WHERE reached IS NULL) AS bytes,
            before.since, before.records, (SELECT count(max_records) FROM judged WHERE reached IS NULL) AS added
        FROM filled f CROSS JOIN workspace before
    ) AS b
    WHERE w.id = $1::text AND EXISTS (SELECT FROM stored)
)
SELECT
    w.most, ARRAY(SELECT id FROM judged WHERE reached IS NOT NULL ORDER BY number),
    ARRAY(SELECT reached FROM judged WHERE reached IS NOT NULL ORDER BY number),
    a.id, a.fingerprint, a.status, a.headers, a.body, a.payload_at
FROM workspace w LEFT JOIN answered a ON true
"""
"""In each row the limit of jobs, the ids of jobs that are refused, and the quota that each of them would exceed; no
row where there is no such workspace.

A row for each job whose request was answered before by another one, with that answer; one row where there is none.

Races. `LOCK_WORKSPACE` goes before, in the same transaction: whoever adds a job to the workspace or revives one locks
its row first, so no other one is counted or added until we commit. This statement begins when the lock is held, and so
its snapshot (READ COMMITTED) has all that was committed before. What the workspace's
row counts is kept under that lock, too (`cronhook_core.backends.sql.tables`). Room is added up over all jobs of the
statement, those that are refused among them, so that one may be refused for which there is room. A job that is there
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


@frozen
class _Group:
    """What jobs have in common that one statement may store."""

    workspace_id: str
    max_jobs: int | None
    max_stored_bytes: int | None


class NewJobs:
    """Stores new jobs; workspaces do not wait for each other."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._groups: dict[_Group, Grouped[_New, CronhookError | None]] = {}

    async def add(
        self, job: Job, *, max_jobs: int | None, max_stored_bytes: int | None, now: datetime, kept: Kept | None
    ) -> None:
        """As `JobCatalog.create_job`."""
        key = _Group(job.workspace_id, max_jobs, max_stored_bytes)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Grouped(self._storing(key), at_most=AT_ONCE)
        try:
            refusal = await group.ask(_New(job=job, now=now, kept=kept))
        finally:
            if group.idle and self._groups.get(key) is group:
                del self._groups[key]
        if refusal is not None:
            raise refusal

    def _storing(self, group: _Group) -> Callable[[Sequence[_New]], Awaitable[Sequence[CronhookError | None]]]:
        async def store(asked: Sequence[_New]) -> Sequence[CronhookError | None]:
            different = list({one.job.id: one for one in reversed(asked)}.values())[::-1]
            refusals = await self._store(group, different)
            if len(different) > 1 and any(map(_may_have_room, refusals.values())):
                for one in different:
                    if isinstance(refusals[one.job.id], QuotaExceeded):
                        refusals |= await self._store(group, [one])
            return [refusals[one.job.id] for one in asked]

        return store

    async def _store(self, group: _Group, different: Sequence[_New]) -> dict[str, CronhookError | None]:
        """By each job's id why it is refused; None: it is stored."""
        firsts = _firsts(different)
        new = [one for one in different if firsts[one.job.id] is one]
        parameters = [
            group.workspace_id,
            group.max_jobs,
            *_records([one.kept for one in new], [one.now for one in new]),
            group.max_stored_bytes,
            numbers([one.kept.request.max_records if one.kept else None for one in new]),
            *_columns([one.job for one in new]),
        ]
        found = await self._database.execute_all([(LOCK_WORKSPACE, [group.workspace_id]), (CREATE, parameters)])
        if not found:
            return {one.job.id: NotFound("workspace", group.workspace_id) for one in different}
        max_jobs, refused, quotas = found[0][:3]
        reached = {job_id: Quota(quota) for job_id, quota in zip(refused, quotas, strict=True)}
        answered = {row[3]: answered_from(row[4:]) for row in found if row[3] is not None}
        refusals: dict[str, CronhookError | None] = {}
        for one in different:
            first = firsts[one.job.id]
            quota = reached.get(first.job.id)
            refusals[one.job.id] = (
                _refusal(one, first, answered.get(first.job.id))
                if quota is None
                else QuotaExceeded(_limit(quota, max_jobs, group, first), quota)
            )
        return refusals


def _may_have_room(refusal: CronhookError | None) -> bool:
    """Whether there may be room for jobs that came behind this one, and were refused with it."""
    return isinstance(refusal, QuotaExceeded) and refusal.quota is not Quota.JOBS


def _limit(quota: Quota, max_jobs: int | None, group: _Group, one: _New) -> int:
    limits = {
        Quota.JOBS: max_jobs,
        Quota.STORED_BYTES: group.max_stored_bytes,
        Quota.IDEMPOTENCY_RECORDS: one.kept.request.max_records if one.kept else None,
    }
    return limits[quota] or 0


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


def _records(kept: Sequence[Kept | None], at: Sequence[datetime]) -> list[Column]:
    return [
        texts([None if k is None else k.request.path for k in kept]),
        texts([None if k is None else k.request.key for k in kept]),
        binaries([None if k is None else k.request.fingerprint for k in kept]),
        instants(at),
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
