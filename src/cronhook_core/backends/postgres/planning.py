"""Plan: one statement for a whole batch of jobs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from cronhook_core.backends.postgres.arrays import Column, instants, numbers, texts
from cronhook_core.domain.execution import Execution
from cronhook_core.domain.planning import DueJob, JobPlan
from cronhook_core.domain.schedule import CronSchedule, OneTimeSchedule

DUE_JOBS = """
SELECT
    j.id, j.workspace_id, j.host, j.revision, j.cron, j.timezone, j.run_at, j.next_run, j.planned_through, j.updated_at
FROM timetable t JOIN jobs j ON j.id = ANY (ARRAY[t.job_id])
WHERE t.next_run <= $1::timestamptz AND j.status = 'active' AND j.next_run = t.next_run
  AND (t.next_run, t.job_id) > (coalesce($3::timestamptz, '-infinity'), $4::text)
ORDER BY t.next_run, t.job_id
LIMIT $2::int
"""

WAIT_AT_MOST = "50ms"
"""For which `PLAN` waits for a row that another transaction holds."""

_PLANS = """unnest(
        $1::text[], $2::int[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::text[],
        $7::text[], $8::timestamptz[], $9::timestamptz[], $10::smallint[], $11::timestamptz[]
    ) AS p (
        job_id, revision, expected_next_run, next_run, planned_through, inactive_reason,
        id, scheduled_for, created_at, missed_count, missed_from
    )"""
_DUE = """j.id = ANY (ARRAY[p.job_id])
        AND j.status = 'active' AND j.revision = p.revision AND j.next_run = p.expected_next_run"""


def _plan(taken: str, first: str = "") -> str:
    """The statement that plans the jobs ``j`` of the plans ``p`` that the query ``taken`` joins and selects.

    ``first`` are CTEs before all others.
    """
    return f"""
WITH {first}moved AS (
    UPDATE jobs j SET
        next_run = CASE WHEN p.inactive_reason IS NULL THEN p.next_run END,
        planned_through = greatest(j.planned_through, p.planned_through),
        status = CASE WHEN p.inactive_reason IS NULL THEN j.status ELSE 'inactive' END,
        inactive_reason = coalesce(p.inactive_reason, j.inactive_reason),
        revision = j.revision + CASE WHEN p.inactive_reason IS NULL THEN 0 ELSE 1 END,
        updated_at = CASE WHEN p.inactive_reason IS NULL THEN j.updated_at ELSE $12::timestamptz END
    FROM {taken}
    RETURNING
        j.id AS job_id, j.workspace_id, j.host, p.expected_next_run, j.next_run, p.inactive_reason,
        p.id, p.scheduled_for, p.created_at, p.missed_count, p.missed_from
), unlisted AS (
    DELETE FROM timetable t USING (SELECT expected_next_run, job_id FROM moved OFFSET 0) AS m
    WHERE t.next_run = ANY (ARRAY[m.expected_next_run]) AND t.job_id = ANY (ARRAY[m.job_id])
), listed AS (
    INSERT INTO timetable (next_run, job_id)
    SELECT next_run, job_id FROM moved WHERE next_run IS NOT NULL
), ended AS (
    DELETE FROM open_jobs o USING moved m
    WHERE m.inactive_reason IS NOT NULL
      AND o.workspace_id = ANY (ARRAY[m.workspace_id]) AND o.job_id = ANY (ARRAY[m.job_id])
), queued AS (
    INSERT INTO executions (
        id, job_id, workspace_id, host, trigger, scheduled_for, status, available_at, created_at,
        attempt_no, retries_used, losses, releases, missed_count, missed_from
    )
    SELECT
        m.id, m.job_id, m.workspace_id, m.host, 'schedule', m.scheduled_for, 'queued', m.scheduled_for,
        m.created_at, 0, 0, 0, 0, m.missed_count, m.missed_from
    FROM moved m
    WHERE m.id IS NOT NULL AND (
        SELECT true FROM executions e
        WHERE e.job_id = m.job_id AND e.scheduled_for = m.scheduled_for AND e.trigger = 'schedule'
    ) IS NULL
    RETURNING id, job_id, available_at
)
INSERT INTO open_executions (execution_id, job_id, available_at) SELECT * FROM queued RETURNING execution_id
"""


PLAN = _plan(f"{_PLANS} WHERE {_DUE} AND (SELECT set_config('lock_timeout', '{WAIT_AT_MOST}', true)) IS NOT NULL")
PLAN_WAITING = _plan(f"{_PLANS} WHERE {_DUE}")
PLAN_SKIPPING = _plan(
    "taken p WHERE j.id = ANY (ARRAY[p.job_id])",
    first=f"""taken AS MATERIALIZED (
    SELECT p.* FROM {_PLANS} JOIN jobs j ON {_DUE} FOR NO KEY UPDATE OF j SKIP LOCKED
), """,
)
"""Three ways to meet a job whose row another transaction holds.

`PLAN` fails after a moment, by a limit of its own that ends with the statement. Then `PLAN_SKIPPING` plans the other
jobs, and this one stays due for a later call. To lock rows before they are updated takes 56 bytes more of the
write-ahead log for each, so it is not done where nothing is locked. `PLAN_WAITING` waits for as long as the session
does.

Races. Where the row was changed and committed after our snapshot was taken, Postgres judges its newest version by the
guards again (READ COMMITTED): another planner left another ``next_run``, a pause, an edit or a delete another
``revision`` or ``status``, and the job drops out, with its execution. Jobs come in the order of their ids and are
probed for one by one, so that all who wait take the rows in one order. Whoever wants the row after us waits for our
commit, and its later statement, which cancels what is queued, sees our execution. An execution that is there already
was committed by a plan that moved the job on, before our snapshot or else by changing the row that the guards judge: so
our snapshot shows it, and the unique key over job and instant is never met.
"""


def due_parameters(now: datetime, limit: int, after: DueJob | None) -> list[Any]:
    """The parameters of `DUE_JOBS`."""
    return [now, limit, None, ""] if after is None else [now, limit, after.next_run, after.id]


def due_job_from(row: tuple[Any, ...]) -> DueJob:
    """A row of `DUE_JOBS`."""
    job_id, workspace_id, host, revision, cron, timezone, run_at, next_run, planned_through, updated_at = row
    return DueJob(
        id=job_id,
        workspace_id=workspace_id,
        host=host,
        revision=revision,
        schedule=OneTimeSchedule(run_at.astimezone(UTC)) if cron is None else CronSchedule.stored(cron, timezone),
        next_run=next_run.astimezone(UTC),
        planned_through=planned_through and planned_through.astimezone(UTC),
        updated_at=updated_at.astimezone(UTC),
    )


def plan_parameters(plans: Sequence[JobPlan], now: datetime) -> list[Any]:
    """The parameters of `PLAN` for plans of different jobs."""
    plans = sorted(plans, key=lambda plan: plan.job_id)
    return [
        texts([plan.job_id for plan in plans]),
        numbers([plan.revision for plan in plans]),
        instants([plan.expected_next_run for plan in plans]),
        instants([plan.next_run for plan in plans]),
        instants([plan.planned_through for plan in plans]),
        texts([plan.inactive_reason for plan in plans]),
        *_execution_columns([plan.execution for plan in plans]),
        now,
    ]


def _execution_columns(executions: Sequence[Execution | None]) -> list[Column]:
    return [
        texts([e.id if e else None for e in executions]),
        instants([e.scheduled_for if e else None for e in executions]),
        instants([e.created_at if e else None for e in executions]),
        numbers([e.missed_count if e else None for e in executions]),
        instants([e.missed_from if e else None for e in executions]),
    ]
