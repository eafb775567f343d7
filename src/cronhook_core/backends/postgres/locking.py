"""What finish, lose and release have in common: jobs are locked first, then executions, each in the order of ids.

Races. A pause or delete locks the job, and cancels what is queued in a later statement. Either we hold the job's row
first: then it waits, and its later statement sees what we put back into the queue. Or we come after it: then ``job``
shows the row's newest version (READ COMMITTED locks that one), paused or deleted, and nothing is put back. While it
holds the row we wait for it, or, with ``skip_locked``, leave out what belongs to that job. Executions
are locked after that: by ``held``, which shows their newest versions, or by the update itself, see `SUCCEED`. Our
updates find the rows by the statement's snapshot; where that is older than the newest version, Postgres follows to that
one and judges it by the same ``WHERE``.
"""

from __future__ import annotations

STOPPED = """CASE
        WHEN j.deleted_at IS NOT NULL THEN 'deleted'
        WHEN j.status = 'inactive' AND j.inactive_reason = 'gone' THEN 'gone'
        WHEN j.status = 'paused' AND e.trigger = 'schedule' THEN 'paused'
    END"""
"""Why no further attempt of execution ``e`` of job ``j`` may follow; null where it may, or the job was not locked."""


def locked_jobs(wanted: str, *, skip_locked: bool = False) -> str:
    """The CTE ``job``, from a query of different ``job_id``. ``skip_locked``: without jobs that others hold.

    Not ``FOR UPDATE``: that would hold up those who only insert rows.
    Each id is probed for by itself: for a whole array of ids that lie close together, as those of a herd do, Postgres
    17 and later walk through all of the index between them.
    """
    return f"""
job AS MATERIALIZED (
    SELECT j.id, j.status, j.inactive_reason, j.deleted_at, j.run_at, j.next_run
    FROM ({wanted}) AS wanted
    JOIN jobs j ON j.id = ANY (ARRAY[wanted.job_id])
    ORDER BY j.id || ''
    FOR NO KEY UPDATE OF j{" SKIP LOCKED" if skip_locked else ""}
)"""


def held_executions(execution_ids: str) -> str:
    """The CTE ``held``, from an array of ids.

    ``stopped`` is `STOPPED`. ``is_the_one_run``: it is a one-time job's scheduled run, and the job was given no other
    instant since and is not inactive. Where the job was not locked, both are null.
    """
    return f"""
held AS MATERIALIZED (
    SELECT
        e.id, e.job_id, e.workspace_id, e.scheduled_for, e.status, e.attempt_no, e.losses,
        {STOPPED} AS stopped,
        j.status <> 'inactive' AND e.trigger = 'schedule' AND j.run_at = e.scheduled_for AND j.next_run IS NULL
            AS is_the_one_run
    FROM executions e LEFT JOIN job j ON j.id = e.job_id || ''
    WHERE e.id = ANY ({execution_ids})
    ORDER BY e.id || ''
    FOR UPDATE OF e
)"""


def ended_jobs(now: str) -> str:
    """The CTE ``ended``: jobs that become inactive, by the column ``job_end`` of ``decided``, and are open no more."""
    return f"""
ended AS (
    UPDATE jobs j SET
        status = 'inactive', inactive_reason = d.job_end, next_run = NULL, revision = j.revision + 1, updated_at = {now}
    FROM decided d WHERE d.job_end IS NOT NULL AND j.id = ANY (ARRAY[d.job_id])
    RETURNING j.id, j.workspace_id
), unlisted AS (
    DELETE FROM timetable t USING decided d JOIN job j ON j.id = d.job_id
    WHERE d.job_end IS NOT NULL AND t.next_run = ANY (ARRAY[j.next_run]) AND t.job_id = ANY (ARRAY[j.id])
), open_no_more AS (
    DELETE FROM open_jobs o USING ended e
    WHERE o.workspace_id = ANY (ARRAY[e.workspace_id]) AND o.job_id = ANY (ARRAY[e.id])
)"""
