"""Reads the records: the rows of a database by plain SQL, and the lines of the receiver's log."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.faults.audit import TRANSITIONS
from tests.faults.history import Act, Arrival, Database, Once, Row

TABLES = {
    "jobs": "id, workspace_id, status, inactive_reason, revision, next_run, planned_through, run_at, cron, timezone, "
    "host, timeout_us, retry_delays_seconds, created_at, updated_at, deleted_at",
    "executions": 'id, job_id, workspace_id, host, "trigger", status, reason, worker_id, scheduled_for, available_at, '
    "created_at, started_at, finished_at, missed_from, missed_count, attempt_no, retries_used, losses, releases",
    "job_logs": "execution_id, attempt_no, job_id, workspace_id, worker_id, scheduled_for, started_at, finished_at, "
    "next_attempt_at, outcome, late, response_status",
    "workers": "id, beat, registered_at, last_beat_at, buried_at",
}
"""The tables that matter, and their columns that do."""
_RUNNING = """
SELECT c.execution_id, c.attempt_no, e.job_id, e.workspace_id, c.worker_id, e.scheduled_for, c.started_at,
    NULL AS finished_at, NULL AS next_attempt_at, NULL AS outcome, false AS late, NULL AS response_status
FROM claims c JOIN executions e ON e.id = c.execution_id
"""
"""Attempts that have no row in ``job_logs`` yet."""
_INSTANTS = frozenset(
    {
        *("next_run", "planned_through", "run_at", "created_at", "updated_at", "deleted_at", "scheduled_for"),
        *("available_at", "started_at", "finished_at", "missed_from", "next_attempt_at", "registered_at"),
        *("last_beat_at", "buried_at"),
    }
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Select = Callable[[str], Iterable[dict[str, Any]]]


def read_postgres(url: str) -> Database:
    """All rows at one moment. Raises `psycopg.OperationalError` while the database is away."""
    with psycopg.connect(url, row_factory=dict_row) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        audited = connection.execute("SELECT to_regclass(%s) AS found", [TRANSITIONS]).fetchone()
        return _database(lambda query: connection.execute(query).fetchall(), bool(audited and audited["found"]))


def read_sqlite(path: Path) -> Database:
    """All rows at one moment, of a file that others may be writing."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row
        connection.execute("BEGIN")
        found = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", [TRANSITIONS]).fetchone()
        return _database(lambda query: [dict(row) for row in connection.execute(query)], found is not None)


def read_receiver_log(path: Path) -> list[Arrival]:
    """The arrivals in their order; a last line that a kill cut off is left out."""
    lines = list(_lines(path))
    answers = {line["answer"]: line for line in lines if "answer" in line}
    fates = {line["end"]: line["fate"] for line in lines if "end" in line}
    return [_arrival(line, answers, fates) for line in lines if "arrival" in line]


def gone_acts(database: Database) -> list[Act]:
    """What receivers ended with a 410, as acts to be put among those of users, by time."""
    accepted = (row for row in database.attempts if row["response_status"] == 410 and not row["late"])
    return [
        Act(kind="gone", job_id=row["job_id"], asked_at=row["started_at"], answered_at=row["finished_at"])
        for row in accepted
    ]


def ended_acts(database: Database) -> list[Act]:
    """What the result of its one run ended, as acts with that run as their schedule; by the audit, if it says when."""
    runs = {row["id"]: row for row in database.executions if row["trigger"] == "schedule"}
    return [
        Act(
            kind="ended",
            job_id=runs[change["execution_id"]]["job_id"],
            asked_at=change["at"],
            answered_at=change["at"],
            schedule=Once(runs[change["execution_id"]]["scheduled_for"]),
        )
        for change in database.transitions
        if "at" in change and change["new_status"] in ("succeeded", "failed") and change["execution_id"] in runs
    ]


def in_order(*acts: Iterable[Act]) -> list[Act]:
    """Acts from several sources, by when they were asked for."""
    return sorted((act for source in acts for act in source), key=lambda act: act.asked_at)


def _database(select: Select, audited: bool) -> Database:
    rows = {table: _rows(select(f"SELECT {columns} FROM {table}")) for table, columns in TABLES.items()}
    return Database(
        jobs=[_with_retries(row) for row in rows["jobs"]],
        executions=rows["executions"],
        attempts=[{**row, "late": bool(row["late"])} for row in [*rows["job_logs"], *_rows(select(_RUNNING))]],
        workers=rows["workers"],
        transitions=_rows(select(f"SELECT * FROM {TRANSITIONS} ORDER BY n")) if audited else (),
    )


def _rows(rows: Iterable[dict[str, Any]]) -> Sequence[Row]:
    return [{column: _value(column, value) for column, value in row.items()} for row in rows]


def _value(column: str, value: Any) -> Any:
    if column not in _INSTANTS or value is None:
        return value
    return _EPOCH + timedelta(microseconds=value) if isinstance(value, int) else value.astimezone(UTC)


def _with_retries(job: Row) -> Row:
    delays = json.loads(job["retry_delays_seconds"])
    return {**job, "delays": delays, "retries": len(delays)}


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text().splitlines(keepends=True):
        if line.endswith("\n"):
            yield json.loads(line)


def _arrival(line: dict[str, Any], answers: dict[str, dict[str, Any]], fates: dict[str, str]) -> Arrival:
    number = line["arrival"]
    answer = answers.get(number)
    return Arrival(
        execution_id=line["webhook_id"],
        attempt_no=line["attempt"],
        job_id=line["job_id"],
        scheduled_for=datetime.fromisoformat(line["scheduled_for"]),
        received_at=datetime.fromisoformat(line["received_at"]),
        status=answer["status"] if answer else None,
        answered_at=datetime.fromisoformat(answer["answered_at"]) if answer else None,
        fate=fates.get(number, "unknown"),
        timestamp=line.get("timestamp", 0),
    )
