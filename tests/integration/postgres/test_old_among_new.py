"""Lists of what is old, where all that is newer belongs to others: they walk over none of that."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, event

from cronhook_core.backends.postgres.database import PostgresDatabase
from cronhook_core.backends.sql import reads
from cronhook_core.domain.execution import ExecutionStatus
from cronhook_core.domain.job import JobStatus
from cronhook_core.ports.job_catalog import JobFilter
from cronhook_core.testing.builders import NOW
from tests.databases import Databases

OWN, FOREIGN = 6_000, 12_000
"""Rows of the old workspace, and of the old job; and then of the new ones."""
PAGE = 10
MOST_BUFFERS = 200
"""A row of a page takes some: its own, its newest execution, and the way to each in an index."""
NEWEST = f"job_a{OWN:06}"
SEED = f"""
INSERT INTO workspaces (id, name, created_at) VALUES ('wsp_old', 'old', '{NOW}'), ('wsp_new', 'new', '{NOW}');
INSERT INTO jobs (
    id, workspace_id, status, created_at, updated_at, timeout_us, revision, host, run_at, name, callback_url,
    retry_delays_seconds, headers, tags, metadata, payload
)
SELECT 'job_' || part || lpad(n::text, 6, '0'), workspace, CASE n % 2 WHEN 0 THEN 'active' ELSE 'inactive' END,
    '{NOW}', '{NOW}', 1000000, 1, 'host', '{NOW}', 'name', 'https://host.test/', '[]', '[]', '[]', '{{}}', 'null'
FROM (VALUES ('a', 'wsp_old', {OWN}), ('b', 'wsp_new', {FOREIGN})) AS of (part, workspace, rows),
    generate_series(1, of.rows) n;
INSERT INTO open_jobs (workspace_id, job_id) SELECT workspace_id, id FROM jobs WHERE status = 'active';
INSERT INTO executions (
    id, job_id, workspace_id, host, trigger, scheduled_for, status, available_at, created_at, finished_at,
    attempt_no, retries_used, losses, releases, missed_count
)
SELECT 'exe_' || part || lpad(n::text, 6, '0'), job, workspace, 'host', 'manual', '{NOW}', 'succeeded', '{NOW}',
    '{NOW}', '{NOW}', 1, 0, 0, 0, 0
FROM (VALUES ('a', '{NEWEST}', 'wsp_old', {OWN}), ('b', 'job_b000001', 'wsp_new', {FOREIGN}))
    AS of (part, job, workspace, rows), generate_series(1, of.rows) n;
INSERT INTO job_logs (
    scheduled_for, started_at, finished_at, attempt_no, execution_id, job_id, workspace_id, worker_id, outcome
)
SELECT scheduled_for, scheduled_for + interval '1 second' * right(id, 6)::int, '{NOW}', 1, id, job_id, workspace_id,
    'wrk', 'succeeded'
FROM executions;
"""

Read = Callable[[Connection], Any]
LISTS: dict[str, Read] = {
    "jobs": lambda c: reads.list_jobs(c, "wsp_old", JobFilter(), PAGE, None),
    "jobs before one": lambda c: reads.list_jobs(c, "wsp_old", JobFilter(), PAGE, NEWEST),
    "active jobs": lambda c: reads.list_jobs(c, "wsp_old", JobFilter(status=JobStatus.ACTIVE), PAGE, None),
    "active jobs before one": lambda c: reads.list_jobs(c, "wsp_old", JobFilter(status=JobStatus.ACTIVE), PAGE, NEWEST),
    "ended jobs": lambda c: reads.list_jobs(c, "wsp_old", JobFilter(status=JobStatus.INACTIVE), PAGE, None),
    "one job": lambda c: [reads.get_job(c, "wsp_old", NEWEST)] * PAGE,
    "executions": lambda c: reads.list_executions(c, "wsp_old", NEWEST, None, PAGE, None),
    "executions before one": lambda c: reads.list_executions(c, "wsp_old", NEWEST, None, PAGE, f"exe_a{OWN:06}"),
    "executions of a status": lambda c: reads.list_executions(
        c, "wsp_old", NEWEST, ExecutionStatus.SUCCEEDED, PAGE, None
    ),
    "attempts": lambda c: reads.list_attempts(c, "wsp_old", NEWEST, None, False, 0, PAGE, PAGE)[0],
    "attempts of a status": lambda c: reads.list_attempts(c, "wsp_old", NEWEST, "succeeded", False, 0, PAGE, PAGE)[0],
}


@pytest.fixture(scope="module")
def old_among_new(databases: Databases) -> Iterator[str]:
    with databases.fresh() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(SEED)
            connection.execute("VACUUM ANALYZE")
        yield url


@pytest.mark.parametrize("name", LISTS)
async def test_a_list_reads_its_own_rows(name: str, old_among_new: str) -> None:
    async with PostgresDatabase.open(old_among_new) as database:
        found, buffers = await database.read(measured, LISTS[name])
    assert len(found) == PAGE
    assert buffers < MOST_BUFFERS


def measured(connection: Connection, read: Read) -> tuple[Any, int]:
    """What is read, and the buffers that the same statements touch when they are run again to be explained."""
    asked: list[tuple[str, Any]] = []

    def note(_: object, __: object, statement: str, parameters: Any, *___: object) -> None:
        asked.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    found = read(connection)
    event.remove(connection, "before_cursor_execute", note)
    explain = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "
    plans = [connection.exec_driver_sql(explain + text, values).scalar_one()[0]["Plan"] for text, values in asked]
    return found, sum(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] for plan in plans)
