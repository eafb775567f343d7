"""Rows of a whole batch by one statement whose text is always the same: the keys come as one JSON list.

So no batch is too long for SQLite's limit of parameters, and no statement is compiled twice.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from attrs import evolve
from sqlalchemy import Column, ColumnElement, Connection, Table, bindparam, func, select

from cronhook_core.backends.sql import rows
from cronhook_core.backends.sql.tables import attempts, claims, executions, jobs, open_jobs, timetable
from cronhook_core.backends.sql.writes import ended_values
from cronhook_core.backends.sqlite.row_writer import RowWriter
from cronhook_core.domain.claim import ClaimRef
from cronhook_core.domain.execution import Attempt, Execution
from cronhook_core.domain.transitions import JobState
from cronhook_core.domain.webhook import Outcome


def listed(column: Column[Any]) -> ColumnElement[bool]:
    """Whether the column is among the parameter ``keys``, see `keys`."""
    return column.in_(select(func.json_each(bindparam("keys")).table_valued("value").c.value))


def keys(identifiers: Iterable[str]) -> dict[str, str]:
    return {"keys": json.dumps(list(identifiers))}


def _named(table: Table) -> tuple[ColumnElement[bool], ...]:
    """Whether a row's execution and attempt are among the parameter ``keys``, see `_ref_keys`."""
    return (
        table.c.execution_id == func.json_extract(_refs.c.value, "$[0]"),
        table.c.attempt_no == func.json_extract(_refs.c.value, "$[1]"),
    )


_END_JOBS = RowWriter.updating(
    jobs, key=["id"], columns=["status", "inactive_reason", "next_run", "revision", "updated_at"]
)
_UNLIST = RowWriter.deleting(timetable, key=["next_run", "job_id"])
_CLOSE_JOBS = RowWriter.deleting(open_jobs, key=["workspace_id", "job_id"])
_EXECUTIONS = select(executions).where(listed(executions.c.id))
_JOB_STATES = select(*rows.JOB_STATE_COLUMNS).where(listed(jobs.c.id))
_refs = func.json_each(bindparam("keys")).table_valued("value", name="refs")
_HELD = (
    select(
        *(claims.c[name] for name in ("execution_id", "attempt_no", "job_id", "worker_id", "started_at")),
        *(executions.c[name] for name in ("workspace_id", "scheduled_for")),
    )
    .join_from(claims, executions, executions.c.id == claims.c.execution_id)
    .where(*_named(claims))
)
_ENDED = select(
    # Without what a receiver answered: a transition either writes all of that or nothing.
    *(attempts.c[name] for name in ("execution_id", "attempt_no", "job_id", "worker_id", "started_at")),
    *(attempts.c[name] for name in ("workspace_id", "scheduled_for", "outcome", "late", "next_attempt_at")),
).where(*_named(attempts))


def unlist(connection: Connection, unlisted: Iterable[JobState]) -> None:
    """Take jobs, as they are stored, from the timetable."""
    _UNLIST.write(connection, [{"of_next_run": job.next_run, "of_job_id": job.id} for job in unlisted])


def end_jobs(connection: Connection, ended: Iterable[JobState], now: datetime) -> None:
    """Write jobs as `JobState.ended` left them."""
    ended = list(ended)
    _END_JOBS.write(connection, [{"of_id": job.id, **ended_values(job, now)} for job in ended])
    _CLOSE_JOBS.write(connection, [{"of_workspace_id": job.workspace_id, "of_job_id": job.id} for job in ended])


def read_executions(connection: Connection, identifiers: Iterable[str]) -> dict[str, Execution]:
    return {row.id: rows.execution_from(row) for row in connection.execute(_EXECUTIONS, keys(identifiers)).all()}


def read_job_states(connection: Connection, identifiers: Iterable[str]) -> dict[str, JobState]:
    return {row.job_id: rows.job_state_from(row) for row in connection.execute(_JOB_STATES, keys(identifiers)).all()}


def read_attempts(connection: Connection, refs: Collection[ClaimRef]) -> dict[ClaimRef, Attempt]:
    """The attempts of these claims as they began, and how they ended, but not with which answer."""
    found = {_ref_of(row): _begun(row) for row in connection.execute(_HELD, _ref_keys(refs)).all()}
    let_go = [ref for ref in refs if ref not in found]
    if let_go:
        found |= {_ref_of(row): _ended(row) for row in connection.execute(_ENDED, _ref_keys(let_go)).all()}
    return found


def _ref_keys(refs: Iterable[ClaimRef]) -> dict[str, str]:
    return {"keys": json.dumps([(ref.execution_id, ref.attempt_no) for ref in refs])}


def _ref_of(row: rows.AnyRow) -> ClaimRef:
    return ClaimRef(execution_id=row.execution_id, attempt_no=row.attempt_no)


def _begun(row: rows.AnyRow) -> Attempt:
    return Attempt(
        execution_id=row.execution_id,
        job_id=row.job_id,
        workspace_id=row.workspace_id,
        attempt_no=row.attempt_no,
        scheduled_for=row.scheduled_for,
        worker_id=row.worker_id,
        started_at=row.started_at,
    )


def _ended(row: rows.AnyRow) -> Attempt:
    return evolve(_begun(row), outcome=Outcome(row.outcome), late=row.late, next_attempt_at=row.next_attempt_at)
