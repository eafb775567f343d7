"""The transitions that end attempts, each one write transaction, which no other interrupts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.dialects.sqlite import Insert, insert

from cronhook_core.backends.sql import rows
from cronhook_core.backends.sql.tables import attempts, claims, executions, open_executions
from cronhook_core.backends.sql.writes import cancel_queued
from cronhook_core.backends.sqlite.batches import (
    end_jobs,
    read_attempts,
    read_executions,
    read_job_states,
    unlist,
)
from cronhook_core.backends.sqlite.row_writer import RowWriter
from cronhook_core.domain.claim import AttemptReport, ClaimRef, Verdict
from cronhook_core.domain.execution import Execution
from cronhook_core.domain.job import InactiveReason
from cronhook_core.domain.transition_batch import Changes, Rows, finish_all, interrupt_all, lose_all, release_all
from cronhook_core.ports.job_catalog import CancelQueued


def _ended_or_corrected() -> Insert:
    """An attempt's row, which is written when it ends, or the row with another result, which came late."""
    ended = insert(attempts)
    results = {name: ended.excluded[name] for name in rows.ATTEMPT_RESULT_COLUMNS}
    return ended.on_conflict_do_update(index_elements=["execution_id", "attempt_no"], set_=results)


_GONE = CancelQueued(reason=InactiveReason.GONE, manual_too=True)
_MOVED = ("status", "reason", "available_at", "retries_used", "losses", "releases", "worker_id", "finished_at")
_MOVE = RowWriter.updating(executions, key=["id"], columns=_MOVED)
_LET_GO = RowWriter.deleting(claims, key=["execution_id", "attempt_no"])
_QUEUE = RowWriter.updating(open_executions, key=["job_id", "execution_id"], columns=["available_at"])
_CLOSE = RowWriter.deleting(open_executions, key=["job_id", "execution_id"])
_END = RowWriter.inserting(_ended_or_corrected())


def finish(connection: Connection, reports: Sequence[AttemptReport], now: datetime) -> Sequence[Verdict]:
    refs = [ClaimRef(execution_id=report.execution_id, attempt_no=report.attempt_no) for report in reports]
    before = _read(connection, refs)
    return _write(connection, refs, before, finish_all(reports, before), now)


def release(connection: Connection, refs: Sequence[ClaimRef], now: datetime) -> Sequence[Verdict]:
    before = _read(connection, refs)
    return _write(connection, refs, before, release_all(refs, before, now), now)


def interrupt(connection: Connection, refs: Sequence[ClaimRef], now: datetime) -> Sequence[Verdict]:
    before = _read(connection, refs)
    return _write(connection, refs, before, interrupt_all(refs, before, now), now)


def lose(connection: Connection, refs: Sequence[ClaimRef], now: datetime) -> Sequence[Verdict]:
    before = _read(connection, refs)
    return _write(connection, refs, before, lose_all(refs, before, now), now)


def _read(connection: Connection, refs: Sequence[ClaimRef]) -> Rows:
    named = read_executions(connection, {ref.execution_id for ref in refs})
    return Rows(
        executions=named,
        attempts=read_attempts(connection, refs),
        jobs=read_job_states(connection, {execution.job_id for execution in named.values()}),
    )


def _write(
    connection: Connection, refs: Sequence[ClaimRef], before: Rows, changes: Changes, now: datetime
) -> Sequence[Verdict]:
    _MOVE.write(connection, [_moved_values(execution) for execution in changes.executions.values()])
    _LET_GO.write(connection, [_claim_key(ref) for ref in refs])  # of what is refused, too: nothing runs under it
    open_ones = [execution for execution in changes.executions.values() if not execution.status.is_final]
    closed = [execution for execution in changes.executions.values() if execution.status.is_final]
    _QUEUE.write(connection, [_queued_values(execution) for execution in open_ones])
    _CLOSE.write(connection, [_key(execution) for execution in closed])
    _END.write(connection, [rows.attempt_values(attempt) for attempt in changes.attempts.values()])
    unlist(connection, [before.jobs[job_id] for job_id in changes.job_ends])
    end_jobs(connection, [before.jobs[job_id].ended(reason) for job_id, reason in changes.job_ends.items()], now)
    for job_id, reason in changes.job_ends.items():
        if reason is InactiveReason.GONE:
            cancel_queued(connection, job_id, _GONE, now)
    return changes.verdicts


def _moved_values(execution: Execution) -> rows.Values:
    return {
        "of_id": execution.id,
        "status": execution.status,
        "reason": execution.reason,
        "available_at": execution.available_at,
        "retries_used": execution.retries_used,
        "losses": execution.losses,
        "releases": execution.releases,
        "worker_id": execution.worker_id,
        "finished_at": execution.finished_at,
    }


def _claim_key(ref: ClaimRef) -> rows.Values:
    return {"of_execution_id": ref.execution_id, "of_attempt_no": ref.attempt_no}


def _key(execution: Execution) -> rows.Values:
    return {"of_job_id": execution.job_id, "of_execution_id": execution.id}


def _queued_values(execution: Execution) -> rows.Values:
    return _key(execution) | {"available_at": execution.available_at}
