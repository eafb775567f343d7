"""What moves a job's ``next_run``, each one write transaction, which no other interrupts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from cronhook_core.backends.sql import rows
from cronhook_core.backends.sql.tables import executions, jobs, meta, open_executions, timetable
from cronhook_core.backends.sqlite.batches import end_jobs, keys, listed, read_job_states, unlist
from cronhook_core.backends.sqlite.row_writer import RowWriter
from cronhook_core.domain.execution import Execution
from cronhook_core.domain.planning import JobPlan, Rescheduling
from cronhook_core.domain.transitions import JobState, plan_applies, planned

_EXISTING = select(executions.c.id).where(listed(executions.c.id))
_QUEUE = RowWriter.inserting(insert(executions).on_conflict_do_nothing())
_OPEN = RowWriter.inserting(insert(open_executions))
_MOVE = RowWriter.updating(jobs, key=["id"], columns=["next_run", "planned_through"])
_LIST = RowWriter.inserting(insert(timetable))


def plan(connection: Connection, plans: Sequence[JobPlan], now: datetime) -> list[str]:
    states = read_job_states(connection, {plan.job_id for plan in plans})
    moved: dict[str, JobState] = {}
    ended: dict[str, JobState] = {}
    queued: list[Execution] = []
    for plan in plans:
        job = moved.get(plan.job_id) or states.get(plan.job_id)
        if job is None or not plan_applies(plan, job):
            continue
        moved[plan.job_id] = planned(plan, job)
        if plan.inactive_reason is not None:
            ended[plan.job_id] = moved[plan.job_id]
        if plan.execution is not None:
            queued.append(plan.execution)
    _MOVE.write(connection, [_moved_values(job) for job in moved.values()])
    _move_in_timetable(connection, states, {job.id: job.next_run for job in moved.values()})
    end_jobs(connection, ended.values(), now)
    return _queue(connection, queued)


def reschedule(connection: Connection, moves: Sequence[Rescheduling]) -> int:
    states = read_job_states(connection, {move.job_id for move in moves})
    applying = {
        move.job_id: move for move in moves if (job := states.get(move.job_id)) is not None and plan_applies(move, job)
    }
    _move_in_timetable(connection, states, {move.job_id: move.next_run for move in applying.values()})
    values = [
        {"of_id": move.job_id, "next_run": move.next_run, "planned_through": move.planned_through}
        for move in applying.values()
    ]
    return _MOVE.write(connection, values)


def remember(connection: Connection, key: str, value: str) -> None:
    values = insert(meta).values(key=key, value=value)
    connection.execute(values.on_conflict_do_update(index_elements=[meta.c.key], set_={"value": value}))


def _moved_values(job: JobState) -> rows.Values:
    return {"of_id": job.id, "next_run": job.next_run, "planned_through": job.planned_through}


def _move_in_timetable(
    connection: Connection, before: Mapping[str, JobState], next_runs: Mapping[str, datetime | None]
) -> None:
    unlist(connection, [before[job_id] for job_id in next_runs])
    moved = [{"next_run": next_run, "job_id": job_id} for job_id, next_run in next_runs.items() if next_run is not None]
    _LIST.write(connection, moved)


def _queue(connection: Connection, queued: Sequence[Execution]) -> list[str]:
    """Insert executions, but none whose id or whose job's instant already has one; return the ids inserted."""
    before = _existing(connection, queued)
    inserted = _QUEUE.write(connection, [rows.execution_values(execution) for execution in queued])
    after = {execution.id for execution in queued} if inserted == len(queued) else _existing(connection, queued)
    new = [execution for execution in queued if execution.id in after - before]
    _OPEN.write(connection, [rows.open_execution_values(execution) for execution in new])
    return [execution.id for execution in new]


def _existing(connection: Connection, queued: Sequence[Execution]) -> set[str]:
    return set(connection.execute(_EXISTING, keys(execution.id for execution in queued)).scalars())
