"""What runs all the time costs what it finds, not what is stored: SQLite says that it uses the indexes made for it."""

import sqlite3
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection

from cronhook_core.backends.sql import engine_reads, pruned_jobs, reads, writes
from cronhook_core.backends.sqlite import SqliteDatabase, upkeep, watching
from cronhook_core.backends.sqlite.claiming import claim
from cronhook_core.backends.sqlite.planning import plan
from cronhook_core.backends.sqlite.results import finish
from cronhook_core.domain.claim import ClaimRef
from cronhook_core.domain.execution import Trigger
from cronhook_core.domain.job import JobStatus
from cronhook_core.ports.job_catalog import CancelQueued, JobFilter
from cronhook_core.testing.builders import NOW, make_execution, make_job, make_plan, succeeded

Work = Callable[[Connection], Any]

JOB = make_job("wsp_0")
EXECUTION = make_execution(JOB, trigger=Trigger.SCHEDULE)
REPORT = succeeded(ClaimRef(execution_id=EXECUTION.id, attempt_no=1))

INDEXED: dict[str, tuple[Work, set[str]]] = {
    "due_jobs": (
        lambda c: engine_reads.due_jobs(c, NOW, 10),
        {"sqlite_autoindex_timetable_1", "sqlite_autoindex_jobs_1"},
    ),
    "next_due": (
        lambda c: watching.next_due(driver_of(c), NOW),
        {"sqlite_autoindex_timetable_1", "ix_open_executions_available_at", "sqlite_autoindex_executions_1"},
    ),
    "ready": (
        lambda c: watching.ready(driver_of(c), NOW, 10, ["a"], ["b"], False, NOW),
        {"ix_open_executions_available_at", "sqlite_autoindex_executions_1", "sqlite_autoindex_jobs_1"},
    ),
    "running": (lambda c: watching.running(driver_of(c), "wrk_0"), set()),
    "abandoned": (lambda c: watching.abandoned(driver_of(c), 10), {"sqlite_autoindex_workers_1"}),
    "worker_beats": (lambda c: watching.worker_beats(driver_of(c)), set()),
    "beat": (lambda c: watching.beat(driver_of(c), "wrk_0", NOW), {"sqlite_autoindex_workers_1"}),
    "plan": (
        lambda c: plan(c, [make_plan(JOB)], NOW),
        {"sqlite_autoindex_jobs_1", "sqlite_autoindex_executions_1"},
    ),
    "claim": (
        lambda c: claim(c, [EXECUTION.id], "wrk_0", NOW, True, 1),
        {"sqlite_autoindex_workers_1", "sqlite_autoindex_executions_1", "sqlite_autoindex_jobs_1"},
    ),
    "finish": (
        lambda c: finish(c, [REPORT], NOW),
        {"sqlite_autoindex_executions_1", "sqlite_autoindex_job_logs_1", "sqlite_autoindex_jobs_1"},
    ),
    "get_job": (
        lambda c: reads.get_job(c, "wsp_0", JOB.id),
        {"ix_jobs_workspace_id_id", "ix_executions_job_id_id", "sqlite_autoindex_executions_1"},
    ),
    "list_jobs": (
        lambda c: reads.list_jobs(c, "wsp_0", JobFilter(), 10, JOB.id),
        {"ix_jobs_workspace_id_id", "ix_executions_job_id_id", "sqlite_autoindex_executions_1"},
    ),
    "list_jobs, active": (
        lambda c: reads.list_jobs(c, "wsp_0", JobFilter(status=JobStatus.ACTIVE), 10, JOB.id),
        {"sqlite_autoindex_open_jobs_1", "sqlite_autoindex_jobs_1", "ix_executions_job_id_id"},
    ),
    "count_jobs": (lambda c: reads.count_jobs(c, "wsp_0", 100), {"sqlite_autoindex_open_jobs_1"}),
    "list_executions": (
        lambda c: reads.list_executions(c, "wsp_0", JOB.id, None, 10, EXECUTION.id),
        {"ix_executions_job_id_id"},
    ),
    "list_attempts": (
        lambda c: reads.list_attempts(c, "wsp_0", JOB.id, None, False, 0, 10, 10),
        {"ix_job_logs_job_id_started_at"},
    ),
    "attempts_of": (lambda c: reads.attempts_of(c, "wsp_0", EXECUTION.id), {"sqlite_autoindex_job_logs_1"}),
    "cancel_queued": (
        lambda c: writes.cancel_queued(c, JOB.id, CancelQueued(reason="deleted", manual_too=True), NOW),
        {"sqlite_autoindex_executions_1", "sqlite_autoindex_open_executions_1"},
    ),
    "prunable": (
        lambda c: upkeep.prunable(c, NOW, 10),
        {"sqlite_autoindex_executions_1", "ix_executions_job_id_id", "sqlite_autoindex_open_jobs_1"},
    ),
    "ended jobs": (lambda c: pruned_jobs.look(c, NOW, JOB.id, 10), {"sqlite_autoindex_jobs_1"}),
    "prune": (
        lambda c: upkeep.prune(c, [EXECUTION.id], NOW, NOW),
        {"sqlite_autoindex_job_logs_1", "sqlite_autoindex_executions_1"},
    ),
}
SMALL = (
    "idempotency_records",
    "workers",
    "claims",
    "json_each",
    "refs",
    "anon_1",
    *("CONSTANT ROW", "held", "page", "found", "totals"),
    "VIRTUAL TABLE",
    "LIST SUBQUERY",
    "meta",
)
"""Tables that may be read whole."""


@pytest.mark.parametrize("name", INDEXED)
async def test_indexes_serve(name: str, database: SqliteDatabase) -> None:
    work, wanted = INDEXED[name]
    steps = await database.write(plans_of, work)
    scans = [step for step in steps if step.startswith("SCAN") and " USING " not in step]
    assert [scan for scan in scans if not any(small in scan for small in SMALL)] == []
    used = {word for step in steps for word in step.replace("(", " ").split()}
    assert wanted <= used


@pytest.mark.parametrize(
    "name",
    [
        *("due_jobs", "next_due", "ready", "list_jobs", "list_jobs, active", "list_executions", "prunable"),
        "ended jobs",
    ],
)
async def test_a_bounded_read_sorts_nothing(name: str, database: SqliteDatabase) -> None:
    steps = await database.write(plans_of, INDEXED[name][0])
    assert [step for step in steps if "TEMP B-TREE" in step] == []


def plans_of(connection: Connection, work: Work) -> list[str]:
    """How SQLite would run each statement of this work."""
    connection.exec_driver_sql("INSERT INTO workers (id, beat, registered_at, last_beat_at) VALUES ('wrk_0', 0, 0, 0)")
    driver, statements = driver_of(connection), list[str]()
    driver.set_trace_callback(statements.append)
    work(connection)
    driver.set_trace_callback(None)
    assert statements
    return [str(row[3]) for text in statements for row in driver.execute(f"EXPLAIN QUERY PLAN {text}").fetchall()]


def driver_of(connection: Connection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver
