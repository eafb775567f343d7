"""The transition ``claim``, one write transaction, which no other interrupts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, case, func, insert, select

from cronhook_core.backends.sql import rows
from cronhook_core.backends.sql.tables import claims, executions, jobs, workers
from cronhook_core.backends.sqlite.batches import keys, listed, read_executions
from cronhook_core.backends.sqlite.row_writer import RowWriter
from cronhook_core.domain.claim import Claim
from cronhook_core.domain.execution import Execution
from cronhook_core.domain.transitions import claimed, is_claimable, within_bytes, without_surplus_suspects

_LIVING = select(workers.c.id).where(workers.c.id == bindparam("worker_id"), workers.c.buried_at.is_(None))
_LARGE = 16 * 1024
"""Bytes of a job from which on its payload is read only when it is known that this claim takes it."""
_size = case((jobs.c.stored_bytes > 0, jobs.c.stored_bytes), else_=func.length(jobs.c.payload)).label("size")
_JOBS = select(
    *rows.JOB_STATE_COLUMNS, *rows.TARGET_COLUMNS, _size, case((_size <= _LARGE, jobs.c.payload)).label("payload")
).where(listed(jobs.c.id))
_PAYLOADS = select(jobs.c.id, jobs.c.payload).where(listed(jobs.c.id))
_RUN = RowWriter.updating(executions, key=["id"], columns=["status", "attempt_no", "worker_id", "started_at"])
_HOLD = RowWriter.inserting(insert(claims))


def claim(
    connection: Connection,
    execution_ids: Sequence[str],
    worker_id: str,
    now: datetime,
    with_suspect: bool,
    max_bytes: int,
) -> list[Claim]:
    if connection.execute(_LIVING, {"worker_id": worker_id}).one_or_none() is None:
        return []
    named = read_executions(connection, execution_ids)
    of_jobs = keys({execution.job_id for execution in named.values()})
    job_rows = {row.job_id: row for row in connection.execute(_JOBS, of_jobs).all()}
    states = {job_id: rows.job_state_from(row) for job_id, row in job_rows.items()}
    in_order = [named[identifier] for identifier in dict.fromkeys(execution_ids) if identifier in named]
    claimable = [execution for execution in in_order if is_claimable(execution, states[execution.job_id], now)]
    allowed = without_surplus_suspects(claimable, with_suspect=with_suspect)
    taken = within_bytes(allowed, lambda job_id: int(job_rows[job_id].size), max_bytes)
    payloads = _payloads(connection, [job_rows[job_id] for job_id in {execution.job_id for execution in taken}])
    begun = [claimed(execution, worker_id, now) for execution in taken]
    _RUN.write(connection, [_running_values(execution) for execution, _ in begun])
    _HOLD.write(connection, [rows.claim_values(attempt) for _, attempt in begun])
    return [rows.claim_of(one, job_rows[one.job_id], payloads[one.job_id]) for one, _ in begun]


def _payloads(connection: Connection, of_jobs: Iterable[rows.AnyRow]) -> dict[str, bytes]:
    """The payloads by the jobs' ids: those that are not in the rows themselves are read."""
    payloads = {row.job_id: row.payload for row in of_jobs}
    unread = [job_id for job_id, payload in payloads.items() if payload is None]
    if unread:
        payloads |= {row.id: row.payload for row in connection.execute(_PAYLOADS, keys(unread))}
    return payloads


def _running_values(execution: Execution) -> rows.Values:
    return {
        "of_id": execution.id,
        "status": execution.status,
        "attempt_no": execution.attempt_no,
        "worker_id": execution.worker_id,
        "started_at": execution.started_at,
    }
