"""Finish: one statement that writes a whole group of results."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cronhook_core.backends.postgres.arrays import flags, instants, numbers, texts
from cronhook_core.backends.postgres.locking import ended_jobs, held_executions, locked_jobs
from cronhook_core.backends.sql.types import to_microseconds
from cronhook_core.domain.claim import AttemptReport
from cronhook_core.domain.retry_policy import Decision, GiveUp, RetryAt, Succeed

_JOBS_THAT_DECIDE = """
    SELECT e.job_id FROM report r
    JOIN executions e ON e.id = ANY (ARRAY[r.id])
    JOIN jobs j ON j.id = ANY (ARRAY[e.job_id])
    WHERE r.decision <> 'succeed' OR j.run_at IS NOT NULL
"""

FINISH = f"""
WITH report AS MATERIALIZED (
    SELECT * FROM unnest(
        $1::text[], $2::int[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::text[],
        $8::text[], $9::smallint[], $10::text[], $11::text[], $12::bool[], $13::bigint[]
    ) AS r (
        id, attempt_no, decision, reason, retry_at, finished_at, outcome,
        error, response_status, response_headers, response_body, response_truncated, duration_us
    )
), {locked_jobs(_JOBS_THAT_DECIDE)}, {held_executions("$1::text[]")}, gone AS MATERIALIZED (
    SELECT h.job_id FROM report r JOIN held h ON h.id = r.id AND h.attempt_no = r.attempt_no
    WHERE r.decision = 'gone' AND h.status = 'running' AND (h.stopped IS NULL OR h.stopped = 'paused')
), decided AS MATERIALIZED (
    SELECT
        c.*,
        CASE c.decision
            WHEN 'succeed' THEN 'succeeded'
            WHEN 'retry' THEN CASE WHEN c.stopped IS NULL THEN 'queued' ELSE 'cancelled' END
            ELSE 'failed'
        END AS status,
        CASE c.decision WHEN 'retry' THEN c.stopped ELSE c.reason END AS final_reason,
        CASE
            WHEN c.job_is_gone THEN 'gone'
            WHEN c.accepted AND c.is_the_one_run AND c.decision = 'succeed' THEN 'completed'
            WHEN c.accepted AND c.is_the_one_run AND c.decision = 'give_up' THEN 'failed'
        END AS job_end
    FROM (
        SELECT
            r.*, h.job_id, h.status AS was, h.is_the_one_run,
            h.attempt_no = r.attempt_no AND (h.status = 'running' OR h.status = 'queued' AND r.decision = 'succeed')
                AS accepted,
            h.job_id IN (SELECT job_id FROM gone) AS job_is_gone,
            CASE WHEN h.job_id IN (SELECT job_id FROM gone) THEN 'gone' ELSE h.stopped END AS stopped
        FROM report r JOIN held h ON h.id = r.id
    ) AS c
), finished AS (
    UPDATE executions e SET
        status = d.status,
        reason = d.final_reason,
        retries_used = e.retries_used + CASE d.decision WHEN 'retry' THEN 1 ELSE 0 END,
        available_at = CASE d.status WHEN 'queued' THEN d.retry_at ELSE e.available_at END,
        finished_at = CASE d.status WHEN 'queued' THEN e.finished_at ELSE d.finished_at END,
        worker_id = NULL
    FROM decided d WHERE d.accepted AND e.id = ANY (ARRAY[d.id])
), logged AS (
    UPDATE job_logs a SET
        outcome = d.outcome,
        late = NOT d.accepted,
        error = d.error,
        response_status = d.response_status,
        response_headers = d.response_headers,
        response_body = d.response_body,
        response_truncated = d.response_truncated,
        duration_us = d.duration_us,
        finished_at = d.finished_at,
        next_attempt_at = CASE
            WHEN NOT d.accepted THEN a.next_attempt_at
            WHEN d.status = 'queued' THEN d.retry_at
        END
    FROM decided d
    WHERE a.execution_id = ANY (ARRAY[d.id]) AND a.attempt_no = ANY (ARRAY[d.attempt_no])
      AND (d.accepted OR a.outcome IS NULL OR a.outcome = 'lost')
), {ended_jobs("$14::timestamptz")}, cancelled AS (
    UPDATE executions e SET status = 'cancelled', reason = 'gone', worker_id = NULL, finished_at = $14::timestamptz
    WHERE e.job_id = ANY (ARRAY(SELECT job_id FROM gone)) AND CASE e.status WHEN 'queued' THEN true ELSE false END
      AND NOT e.id = ANY (ARRAY(SELECT id FROM decided WHERE accepted))
)
SELECT
    id, attempt_no, accepted, CASE WHEN accepted THEN status ELSE was END,
    CASE WHEN accepted THEN final_reason END,
    CASE WHEN accepted AND status = 'queued' THEN retry_at END
FROM decided
"""
"""Races: see `cronhook_core.backends.postgres.locking`. A job is locked only where it has a say: for failures, and for
one-time jobs; the success of a cron job neither locks nor writes its row. Whether a job is a one-time job is read
without a lock, which is enough: one that becomes a one-time job meanwhile was given a new instant, and does not end.

What is queued by others while we wait for the job's row is not in our snapshot. That matters where a job is ``gone``
and all that is queued must be cancelled: there `LOCK_JOBS` goes before, in the same transaction.
"""

LOCK_JOBS = """
SELECT id FROM jobs
WHERE id = ANY (ARRAY(SELECT job_id FROM executions WHERE id = ANY ($1::text[])))
ORDER BY id || ''
FOR NO KEY UPDATE
"""


def finish_statements(reports: Sequence[AttemptReport], now: datetime) -> list[tuple[str, list[Any]]]:
    """One statement, or two where a receiver answered 410. ``reports`` are of different attempts."""
    columns = _columns(reports)
    finish = (FINISH, [*columns, now])
    return [(LOCK_JOBS, columns[:1]), finish] if any(map(says_gone, reports)) else [finish]


def says_gone(report: AttemptReport) -> bool:
    return isinstance(report.decision, GiveUp) and report.decision.gone


def _columns(reports: Sequence[AttemptReport]) -> list[str]:
    results = [report.result for report in reports]
    decisions = [_decision(report.decision) for report in reports]
    return [
        texts([report.execution_id for report in reports]),
        numbers([report.attempt_no for report in reports]),
        texts([word for word, _, _ in decisions]),
        texts([reason for _, reason, _ in decisions]),
        instants([retry_at for _, _, retry_at in decisions]),
        instants([report.finished_at for report in reports]),
        texts([result.outcome for result in results]),
        texts([result.error for result in results]),
        numbers([result.response_status for result in results]),
        texts([_json(result.response_headers) for result in results]),
        texts([result.response_body for result in results]),
        flags([result.response_truncated for result in results]),
        numbers([to_microseconds(report.duration) for report in reports]),
    ]


def _decision(decision: Decision) -> tuple[str, str | None, datetime | None]:
    match decision:
        case Succeed():
            return "succeed", None, None
        case RetryAt(at=at):
            return "retry", None, at
        case GiveUp(reason=reason, gone=gone):
            return "gone" if gone else "give_up", reason, None


def _json(headers: tuple[tuple[str, str], ...]) -> str | None:
    return json.dumps(headers, separators=(",", ":")) if headers else None
