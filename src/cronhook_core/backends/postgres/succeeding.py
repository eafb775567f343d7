"""What succeeded, which is by far the most of what is reported: it asks for the fewest rules."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cronhook_core.backends.postgres.arrays import flags, instants, numbers, texts
from cronhook_core.backends.postgres.attempt_log import ANSWER, CORRECT, ENDED
from cronhook_core.backends.sql.types import to_microseconds
from cronhook_core.domain.claim import AttemptReport
from cronhook_core.domain.webhook import WebhookResult

_RESULTS = f"""unnest(
        $1::text[], $2::int[], $3::timestamptz[],
        $5::text[], $6::smallint[], $7::text[], $8::text[], $9::bool[], $10::bigint[]
    ) AS r (id, attempt_no, finished_at, {ANSWER})"""

SUCCEED = f"""
WITH to_lock AS MATERIALIZED (
    SELECT j.id FROM unnest($4::text[]) AS r (job_id) JOIN jobs j ON j.id = ANY (ARRAY[r.job_id])
    WHERE j.run_at IS NOT NULL
), one_time AS MATERIALIZED (
    SELECT j.id, j.run_at, j.status <> 'inactive' AND j.next_run IS NULL AS may_end
    FROM to_lock l JOIN jobs j ON j.id = ANY (ARRAY[l.id])
    FOR NO KEY UPDATE OF j SKIP LOCKED
), locked AS MATERIALIZED (
    SELECT id FROM to_lock WHERE id <> ALL (ARRAY(SELECT id FROM one_time))
), finished AS MATERIALIZED (
    UPDATE executions e SET status = 'succeeded', reason = NULL, finished_at = r.finished_at, worker_id = NULL
    FROM unnest($1::text[], $2::int[], $3::timestamptz[]) AS r (id, attempt_no, finished_at)
    WHERE (SELECT count(*) >= 0 FROM one_time) AND e.id = ANY (ARRAY[r.id])
      AND CASE WHEN e.attempt_no = r.attempt_no THEN e.status IN ('running', 'queued') ELSE false END
      AND e.job_id <> ALL (ARRAY(SELECT id FROM locked))
    RETURNING e.id, e.attempt_no, e.job_id, e.workspace_id, e.scheduled_for, e.trigger
), let_go AS (
    DELETE FROM claims c USING (SELECT id, attempt_no, workspace_id, scheduled_for FROM finished OFFSET 0) AS f
    WHERE c.execution_id = ANY (ARRAY[f.id]) AND c.attempt_no = ANY (ARRAY[f.attempt_no])
    RETURNING f.id, f.attempt_no, c.job_id, f.workspace_id, f.scheduled_for, c.worker_id, c.started_at
), logged AS (
    INSERT INTO job_logs ({ENDED}, outcome)
    SELECT l.*, r.finished_at, {ANSWER}, 'succeeded'
    FROM let_go l JOIN {_RESULTS} ON r.id = l.id AND r.attempt_no = l.attempt_no
), closed AS (
    DELETE FROM open_executions o USING (SELECT id, job_id FROM finished OFFSET 0) AS f
    WHERE o.job_id = ANY (ARRAY[f.job_id]) AND o.execution_id = ANY (ARRAY[f.id])
), corrected AS (
    INSERT INTO job_logs AS a ({ENDED}, outcome, late)
    SELECT
        r.id, r.attempt_no, e.job_id, e.workspace_id, e.scheduled_for, '', r.finished_at, r.finished_at, {ANSWER},
        'succeeded', NOT EXISTS (SELECT FROM finished f WHERE f.id = r.id AND f.attempt_no = r.attempt_no)
    FROM {_RESULTS} JOIN executions e ON e.id = ANY (ARRAY[r.id])
    WHERE (SELECT count(*) FROM let_go) < cardinality($1::text[])
      AND r.attempt_no BETWEEN 1 AND e.attempt_no
      AND e.job_id <> ALL (ARRAY(SELECT id FROM locked))
      AND NOT EXISTS (SELECT FROM let_go l WHERE l.id = r.id AND l.attempt_no = r.attempt_no)
    {CORRECT}
), ended AS (
    UPDATE jobs j SET
        status = 'inactive', inactive_reason = 'completed', revision = j.revision + 1, updated_at = $11::timestamptz
    FROM (
        SELECT o.id FROM one_time o JOIN finished f ON f.job_id = o.id AND f.scheduled_for = o.run_at
        WHERE o.may_end AND f.trigger = 'schedule'
        OFFSET 0
    ) AS o
    WHERE j.id = ANY (ARRAY[o.id])
    RETURNING j.workspace_id, j.id
), open_no_more AS (
    DELETE FROM open_jobs o USING ended e
    WHERE o.workspace_id = ANY (ARRAY[e.workspace_id]) AND o.job_id = ANY (ARRAY[e.id])
)
SELECT id, attempt_no, true, 'succeeded', NULL::text, NULL::timestamptz FROM finished
UNION ALL
SELECT
    r.id, r.attempt_no, CASE WHEN e.job_id = ANY (ARRAY(SELECT id FROM locked)) THEN NULL ELSE false END, e.status,
    NULL, NULL
FROM unnest($1::text[], $2::int[]) AS r (id, attempt_no) LEFT JOIN executions e ON e.id = ANY (ARRAY[r.id])
WHERE (SELECT count(*) FROM finished) < cardinality($1::text[])
  AND NOT EXISTS (SELECT FROM finished f WHERE f.id = r.id AND f.attempt_no = r.attempt_no)
"""
"""Races: see `cronhook_core.backends.postgres.locking`, which has the reason for the order. Jobs come in the order of
their ids and executions in that of theirs, and both are probed for one by one. A success asks nothing of a job but
whether this was its one run: that of a cron job neither locks nor writes its row. Whether a job is a one-time job is
read without a lock, which is enough: one that becomes a one-time job meanwhile was given a new instant, and does not
end. The count makes sure that all jobs are locked before the first execution is. Successes of one-time jobs that
another transaction holds are skipped, and come back with ``accepted`` null.

An execution is judged and written in one step: for a row that another statement holds, Postgres waits, and then asks of
its newest version what ``finished`` asks. A row that does not pass in our snapshot is not asked again, and could not
pass later: the claim was committed before anything was reported of it, and with the same ``attempt_no`` an execution
only moves on. What is refused is shown as it stood when the statement began.

What is refused, or was given up before, has no claim to be let go: see `cronhook_core.backends.postgres.attempt_log`.
Usually there is none, and one comparison of numbers tells.

``CASE`` is for the planner: with its own guesses it compares each result with each execution. ``OFFSET 0`` keeps the
rows narrow that an update or a delete is joined with, for Postgres copies all of them.
"""


def in_order(report: AttemptReport) -> tuple[str, int]:
    """The order in which rows are locked, those of attempts too: a correction locks what it does not change."""
    return report.execution_id, report.attempt_no


def succeed_parameters(reports: Sequence[AttemptReport], now: datetime) -> list[Any]:
    """The parameters of `SUCCEED`; ``reports`` are of different attempts, all successes."""
    reports = sorted(reports, key=in_order)
    results = [report.result for report in reports]
    return [
        texts([report.execution_id for report in reports]),
        numbers([report.attempt_no for report in reports]),
        instants([report.finished_at for report in reports]),
        texts(sorted({report.job_id for report in reports})),
        texts([result.error for result in results]),
        numbers([result.response_status for result in results]),
        texts([headers_text(result) for result in results]),
        texts([result.response_body for result in results]),
        flags([result.response_truncated for result in results]),
        numbers([to_microseconds(report.duration) for report in reports]),
        now,
    ]


def headers_text(result: WebhookResult) -> str | None:
    """As the log keeps a response's headers."""
    return json.dumps(result.response_headers, separators=(",", ":")) if result.response_headers else None
