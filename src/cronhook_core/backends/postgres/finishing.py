"""Finish: a whole group of results by two statements at most, one for what succeeded and one for what failed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cronhook_core.backends.postgres.arrays import Column, flags, instants, numbers, texts
from cronhook_core.backends.postgres.attempt_log import ANSWER, CORRECT, ENDED
from cronhook_core.backends.postgres.locking import STOPPED, ended_jobs, locked_jobs
from cronhook_core.backends.postgres.succeeding import SUCCEED, headers_text, in_order, succeed_parameters
from cronhook_core.backends.sql.types import to_microseconds
from cronhook_core.domain.claim import AttemptReport
from cronhook_core.domain.retry_policy import Decision, GiveUp, RetryAt, Succeed

_STOPPED = "coalesce(r.stopped, CASE WHEN r.paused AND e.trigger = 'schedule' THEN 'paused' END)"
_RETRIED = f"r.decision = 'retry' AND {_STOPPED} IS NULL"
_THE_ONE_RUN = "r.may_end AND e.trigger = 'schedule' AND r.run_at = e.scheduled_for"

FAIL = f"""
WITH reported AS MATERIALIZED (
    SELECT * FROM unnest(
        $1::text[], $2::int[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[], $8::text[],
        $9::text[], $10::smallint[], $11::text[], $12::text[], $13::bool[], $14::bigint[]
    ) AS r (id, attempt_no, job_id, decision, reason, retry_at, finished_at, outcome, {ANSWER})
), {locked_jobs("SELECT DISTINCT job_id FROM reported", skip_locked=True)}, report AS MATERIALIZED (
    SELECT r.* FROM reported r
    WHERE r.job_id IN (SELECT id FROM job) OR NOT EXISTS (SELECT FROM jobs j WHERE j.id = ANY (ARRAY[r.job_id]))
), gone AS MATERIALIZED (
    SELECT e.job_id
    FROM report r JOIN executions e ON e.id = ANY (ARRAY[r.id]) JOIN job j ON j.id = e.job_id || ''
    WHERE r.decision = 'gone' AND e.status = 'running' AND e.attempt_no = r.attempt_no
      AND ({STOPPED} IS NULL OR {STOPPED} = 'paused')
    ORDER BY e.id || ''
    FOR UPDATE OF e
), rule AS MATERIALIZED (
    SELECT
        r.id, r.attempt_no, r.decision, r.reason, r.retry_at, r.finished_at,
        CASE
            WHEN r.job_id IN (SELECT job_id FROM gone) THEN 'gone'
            WHEN j.deleted_at IS NOT NULL THEN 'deleted'
            WHEN j.status = 'inactive' AND j.inactive_reason = 'gone' THEN 'gone'
        END AS stopped,
        j.status = 'paused' AS paused,
        r.job_id IN (SELECT job_id FROM gone) AS job_is_gone,
        j.run_at,
        j.status <> 'inactive' AND j.next_run IS NULL AS may_end
    FROM report r LEFT JOIN job j ON j.id = r.job_id
    ORDER BY r.id
), finished AS (
    UPDATE executions e SET
        status = CASE
            WHEN {_RETRIED} THEN 'queued'
            WHEN r.decision = 'retry' THEN 'cancelled'
            ELSE 'failed'
        END,
        reason = CASE r.decision WHEN 'retry' THEN {_STOPPED} ELSE r.reason END,
        retries_used = e.retries_used + CASE r.decision WHEN 'retry' THEN 1 ELSE 0 END,
        available_at = CASE WHEN {_RETRIED} THEN r.retry_at ELSE e.available_at END,
        finished_at = CASE WHEN {_RETRIED} THEN e.finished_at ELSE r.finished_at END,
        worker_id = NULL
    FROM rule r
    WHERE e.id = ANY (ARRAY[r.id]) AND e.attempt_no = r.attempt_no
      AND e.status = 'running'
    RETURNING
        e.id, e.attempt_no, e.job_id, e.workspace_id, e.scheduled_for, e.status, e.reason, e.available_at,
        CASE
            WHEN r.job_is_gone THEN 'gone'
            WHEN {_THE_ONE_RUN} AND r.decision = 'give_up' THEN 'failed'
        END AS job_end
), let_go AS (
    DELETE FROM claims c USING finished f
    WHERE c.execution_id = ANY (ARRAY[f.id]) AND c.attempt_no = ANY (ARRAY[f.attempt_no])
    RETURNING c.worker_id, c.started_at, f.id, f.attempt_no, f.workspace_id, f.scheduled_for
), closed AS (
    DELETE FROM open_executions o USING finished f
    WHERE f.status <> 'queued' AND o.job_id = ANY (ARRAY[f.job_id]) AND o.execution_id = ANY (ARRAY[f.id])
), queued AS (
    UPDATE open_executions o SET available_at = f.available_at FROM finished f
    WHERE f.status = 'queued' AND o.job_id = ANY (ARRAY[f.job_id]) AND o.execution_id = ANY (ARRAY[f.id])
), decided AS MATERIALIZED (
    SELECT
        r.*, f.id IS NOT NULL AS accepted, f.status, f.reason AS final_reason, f.job_end,
        CASE f.status WHEN 'queued' THEN f.available_at END AS next_attempt_at
    FROM report r LEFT JOIN finished f ON f.id = r.id AND f.attempt_no = r.attempt_no
), logged AS (
    INSERT INTO job_logs ({ENDED}, outcome, next_attempt_at)
    SELECT
        d.id, d.attempt_no, d.job_id, l.workspace_id, l.scheduled_for, l.worker_id, l.started_at, d.finished_at,
        {ANSWER}, d.outcome, d.next_attempt_at
    FROM decided d JOIN let_go l ON l.id = d.id AND l.attempt_no = d.attempt_no
), corrected AS (
    INSERT INTO job_logs AS a ({ENDED}, outcome, late)
    SELECT
        d.id, d.attempt_no, e.job_id, e.workspace_id, e.scheduled_for, '', d.finished_at, d.finished_at,
        {ANSWER}, d.outcome, true
    FROM decided d JOIN executions e ON e.id = ANY (ARRAY[d.id])
    WHERE NOT d.accepted AND d.attempt_no BETWEEN 1 AND e.attempt_no
    {CORRECT}
), {ended_jobs("$15::timestamptz")}, cancelled AS (
    UPDATE executions e SET status = 'cancelled', reason = 'gone', finished_at = $15::timestamptz
    FROM open_executions o
    WHERE o.job_id = ANY (ARRAY(SELECT job_id FROM gone)) AND e.id = ANY (ARRAY[o.execution_id]) AND e.status = 'queued'
      AND NOT e.id = ANY (ARRAY(SELECT id FROM finished))
    RETURNING e.id, e.job_id
), closed_too AS (
    DELETE FROM open_executions o USING cancelled c
    WHERE o.job_id = ANY (ARRAY[c.job_id]) AND o.execution_id = ANY (ARRAY[c.id])
)
SELECT
    id, attempt_no, accepted,
    CASE WHEN accepted THEN status ELSE (SELECT e.status FROM executions e WHERE e.id = ANY (ARRAY[decided.id])) END,
    final_reason, next_attempt_at
FROM decided
UNION ALL
SELECT id, attempt_no, NULL, NULL, NULL, NULL FROM reported WHERE job_id <> ALL (ARRAY(SELECT job_id FROM report))
"""
"""Races: see `cronhook_core.backends.postgres.locking`. Executions are judged and written in one step as by `SUCCEED`,
those of a receiver that wants no more first. Reports whose job another transaction holds are skipped, and come back
with ``accepted`` null.

What others queued just before we locked the job's row may be missing from our snapshot. That matters where a job is
``gone`` and all that is queued must be cancelled: there `LOCK_JOBS` goes before, in the same transaction. It fails at
once where it would have to wait, for this statement might find the row free that it had to skip.
"""

LOCK_JOBS = """
SELECT id FROM jobs
WHERE id = ANY ($1::text[])
ORDER BY id || ''
FOR NO KEY UPDATE NOWAIT
"""


Statement = tuple[str, list[Any]]


def finish_transactions(reports: Sequence[AttemptReport], now: datetime) -> list[list[Statement]]:
    """What to execute, one transaction after the other. ``reports`` are of different attempts."""
    successes = [report for report in reports if isinstance(report.decision, Succeed)]
    failures = sorted((report for report in reports if not isinstance(report.decision, Succeed)), key=in_order)
    transactions = []
    if successes:
        transactions.append([(SUCCEED, succeed_parameters(successes, now))])
    if failures:
        columns = _columns(failures)
        locks = [(LOCK_JOBS, columns[2:3])] if any(map(says_gone, failures)) else []
        transactions.append([*locks, (FAIL, [*columns, now])])
    return transactions


def says_gone(report: AttemptReport) -> bool:
    return isinstance(report.decision, GiveUp) and report.decision.gone


def _columns(reports: Sequence[AttemptReport]) -> list[Column]:
    results = [report.result for report in reports]
    decisions = [_decision(report.decision) for report in reports]
    return [
        texts([report.execution_id for report in reports]),
        numbers([report.attempt_no for report in reports]),
        texts([report.job_id for report in reports]),
        texts([word for word, _, _ in decisions]),
        texts([reason for _, reason, _ in decisions]),
        instants([retry_at for _, _, retry_at in decisions]),
        instants([report.finished_at for report in reports]),
        texts([result.outcome for result in results]),
        texts([result.error for result in results]),
        numbers([result.response_status for result in results]),
        texts([headers_text(result) for result in results]),
        texts([result.response_body for result in results]),
        flags([result.response_truncated for result in results]),
        numbers([to_microseconds(report.duration) for report in reports]),
    ]


def _decision(decision: Decision) -> tuple[str, str | None, datetime | None]:
    match decision:
        case Succeed():
            raise AssertionError("a success is no failure")
        case RetryAt(at=at):
            return "retry", None, at
        case GiveUp(reason=reason, gone=gone):
            return "gone" if gone else "give_up", reason, None
