"""Jobs as they are read by their ids: one statement for all that are asked for together."""

from __future__ import annotations

import json
from collections import namedtuple
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import Column

from cronhook_core.backends.postgres.arrays import texts
from cronhook_core.backends.postgres.database import PostgresDatabase
from cronhook_core.backends.postgres.grouping import Grouped
from cronhook_core.backends.sql import rows
from cronhook_core.backends.sql.tables import jobs
from cronhook_core.backends.sql.types import Instant, JsonText, Tags
from cronhook_core.domain.job import Job

AT_ONCE = 50
"""Jobs in one answer, at most: with the longest payloads some 13 MB."""
_COLUMNS = [column.name for column in jobs.c]

SHOW = f"""
SELECT {", ".join(f"j.{name}" for name in _COLUMNS)}, newest.scheduled_for, newest.status
FROM unnest($1::text[], $2::text[]) AS asked (workspace_id, job_id)
JOIN jobs j ON j.id = ANY (ARRAY[asked.job_id])
LEFT JOIN LATERAL (
    SELECT e.scheduled_for, e.status FROM executions e WHERE e.job_id >= j.id AND e.job_id <= j.id
    ORDER BY e.job_id DESC, e.id DESC LIMIT 1
) AS newest ON true
WHERE j.workspace_id = ANY (ARRAY[asked.workspace_id]) AND CASE WHEN j.deleted_at IS NULL THEN true ELSE false END
"""
"""An id is asked for beside the workspace of who asks for it, and only found there.

``CASE`` keeps the guard out of reach of the partial index over a workspace's jobs, and ``ANY`` keeps the workspaces
from being joined as a whole: there is no way but to probe for each id. A range of jobs and its order leave no way to
the newest execution but the index over both columns.
"""

Asked = tuple[str, str]
"""A workspace's id and a job's."""
_ShownJob = namedtuple("_ShownJob", [*_COLUMNS, "last_run", "last_run_status"])  # type: ignore[misc]


class ShownJobs:
    """Reads single jobs."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._group = Grouped(self._read, at_most=AT_ONCE)

    async def get(self, workspace_id: str, job_id: str) -> Job | None:
        return await self._group.ask((workspace_id, job_id))

    async def _read(self, asked: Sequence[Asked]) -> Sequence[Job | None]:
        different = list(dict.fromkeys(asked))
        found = await self._database.execute(SHOW, [texts([w for w, _ in different]), texts([j for _, j in different])])
        shown = [_job_from(row) for row in found]
        of_id = {(job.workspace_id, job.id): job for job in shown}
        return [of_id.get(one) for one in asked]


def _job_from(row: Sequence[Any]) -> Job:
    """A row of `SHOW`; its values are read as the types of the columns say."""
    shown = cast("rows.AnyRow", _ShownJob(*[v if v is None else read(v) for v, read in zip(row, _READ, strict=True)]))
    return rows.with_last_run(rows.job_from(shown), shown)


def _as_it_is(value: Any) -> Any:
    return value


def _in_utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


def _json(text: str) -> Any:
    """What most jobs have none of is not parsed."""
    return _EMPTY[text] if text in _EMPTY else json.loads(text)


def _tags(text: str) -> tuple[str, ...]:
    return tuple(_json(text))


@lru_cache(maxsize=1024)
def _delays(text: str) -> tuple[float, ...]:
    """Nearly all jobs share a few policies."""
    return tuple(json.loads(text))


def _reader_of(column: Column[Any]) -> Callable[[Any], Any]:
    return _delays if column is jobs.c.retry_delays_seconds else _BY_TYPE.get(type(column.type), _as_it_is)


_EMPTY: dict[str, Any] = {"[]": (), "{}": {}}
_BY_TYPE: dict[type, Callable[[Any], Any]] = {Instant: _in_utc, JsonText: _json, Tags: _tags}
_READ = [*map(_reader_of, jobs.c), _in_utc, _as_it_is]
