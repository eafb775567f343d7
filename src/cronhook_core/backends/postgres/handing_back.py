"""Release, interrupt, lose, and what dead workers leave behind: each one statement over a whole batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cronhook_core.backends.postgres.arrays import numbers, texts
from cronhook_core.backends.postgres.locking import ended_jobs, held_executions, locked_jobs
from cronhook_core.domain.claim import ClaimRef
from cronhook_core.domain.execution import MAX_LOSSES
from cronhook_core.domain.transitions import INTERRUPTED_ERROR

_GIVEN = """
given AS MATERIALIZED (
    SELECT * FROM unnest($2::text[], $3::int[]) AS g (id, attempt_no)
), ref AS MATERIALIZED (
    SELECT g.id, g.attempt_no
    FROM given g
    JOIN executions e ON e.id = ANY (ARRAY[g.id])
    JOIN jobs j ON j.id = ANY (ARRAY[e.job_id])
    FOR NO KEY UPDATE OF j SKIP LOCKED
    FOR UPDATE OF e SKIP LOCKED
)"""
_LEFT_OUT = """
UNION ALL
SELECT g.id, g.attempt_no, NULL, NULL, NULL, NULL
FROM given g JOIN executions e ON e.id = ANY (ARRAY[g.id])
WHERE NOT EXISTS (SELECT FROM ref r WHERE r.id = g.id AND r.attempt_no = g.attempt_no)
"""
"""Of those that were given, what others hold; see `verdict_from`."""

_ABANDONED = """
ref AS MATERIALIZED (
    SELECT c.execution_id AS id, c.attempt_no
    FROM claims c
    JOIN jobs j ON j.id = ANY (ARRAY[c.job_id])
    JOIN executions e ON e.id = ANY (ARRAY[c.execution_id])
    WHERE NOT EXISTS (SELECT FROM workers w WHERE w.id = c.worker_id AND w.buried_at IS NULL)
    LIMIT $2::int
    FOR NO KEY UPDATE OF j SKIP LOCKED
    FOR UPDATE OF e SKIP LOCKED
)"""
"""Both lock what they name, so that the rest of the statement waits for no row, and leave out what others hold."""


_QUEUED_OR_CANCELLED = "CASE WHEN h.stopped IS NULL THEN 'queued' ELSE 'cancelled' END"


def _handed_back(
    refs: str, *, outcome: str, status: str, reason: str, counter: str | None = None, error: str = "NULL"
) -> str:
    """The statement for attempts that end with ``outcome``; ``status`` and ``reason`` are what follows.

    ``counter`` is the execution's column that counts such attempts, ``error`` what the log says of them. The log does
    not show released attempts, and names no next attempt for them. The claim of what is refused goes as well: nothing
    runs under it.
    """
    return f"""
WITH {refs},
{locked_jobs("SELECT DISTINCT e.job_id FROM ref r JOIN executions e ON e.id = ANY (ARRAY[r.id])")},
{held_executions("ARRAY(SELECT id FROM ref)")}, decided AS MATERIALIZED (
    SELECT c.*, CASE WHEN c.accepted AND c.status = 'failed' AND c.is_the_one_run THEN 'failed' END AS job_end
    FROM (
        SELECT
            r.id, r.attempt_no, h.job_id, h.workspace_id, h.scheduled_for, h.is_the_one_run, h.status AS was,
            h.status = 'running' AND h.attempt_no = r.attempt_no AS accepted,
            {status} AS status, {reason} AS reason
        FROM ref r JOIN held h ON h.id = r.id
    ) AS c
), handed_back AS (
    UPDATE executions e SET
        status = d.status,
        reason = d.reason,
        {f"{counter} = e.{counter} + 1," if counter else ""}
        available_at = CASE d.status WHEN 'queued' THEN $1::timestamptz ELSE e.available_at END,
        finished_at = CASE d.status WHEN 'queued' THEN e.finished_at ELSE $1::timestamptz END,
        worker_id = NULL
    FROM decided d WHERE d.accepted AND e.id = ANY (ARRAY[d.id])
), let_go AS (
    DELETE FROM claims c USING ref r
    WHERE c.execution_id = ANY (ARRAY[r.id]) AND c.attempt_no = ANY (ARRAY[r.attempt_no])
    RETURNING c.execution_id AS id, c.attempt_no, c.worker_id, c.started_at
), closed AS (
    DELETE FROM open_executions o USING decided d
    WHERE d.accepted AND d.status <> 'queued' AND o.job_id = ANY (ARRAY[d.job_id])
      AND o.execution_id = ANY (ARRAY[d.id])
), queued AS (
    UPDATE open_executions o SET available_at = $1::timestamptz FROM decided d
    WHERE d.accepted AND d.status = 'queued' AND o.job_id = ANY (ARRAY[d.job_id])
      AND o.execution_id = ANY (ARRAY[d.id])
), logged AS (
    INSERT INTO job_logs (
        execution_id, attempt_no, job_id, workspace_id, scheduled_for, worker_id, started_at, finished_at, outcome,
        error, next_attempt_at
    )
    SELECT
        d.id, d.attempt_no, d.job_id, d.workspace_id, d.scheduled_for, l.worker_id, l.started_at, $1::timestamptz,
        '{outcome}', {error}, CASE WHEN d.status = 'queued' AND '{outcome}' <> 'released' THEN $1::timestamptz END
    FROM decided d JOIN let_go l ON l.id = d.id AND l.attempt_no = d.attempt_no
    WHERE d.accepted
), {ended_jobs("$1::timestamptz")}
SELECT
    id, attempt_no, accepted, CASE WHEN accepted THEN status ELSE was END, CASE WHEN accepted THEN reason END,
    CASE WHEN accepted AND status = 'queued' THEN $1::timestamptz END
FROM decided
"""


def _lost(refs: str) -> str:
    last_loss = f"h.losses + 1 >= {MAX_LOSSES}"
    return _handed_back(
        refs,
        outcome="lost",
        counter="losses",
        status=f"CASE WHEN {last_loss} THEN 'failed' WHEN h.stopped IS NULL THEN 'queued' ELSE 'cancelled' END",
        reason=f"CASE WHEN {last_loss} THEN 'lost' ELSE h.stopped END",
    )


LOSE = _lost(_GIVEN) + _LEFT_OUT
LOSE_ABANDONED = _lost(_ABANDONED)
"""A worker that is not alive never is again, so its rows need no second look: only whether they still run, in ``held``.
"""
RELEASE = (
    _handed_back(_GIVEN, outcome="released", counter="releases", status=_QUEUED_OR_CANCELLED, reason="h.stopped")
    + _LEFT_OUT
)
INTERRUPT = (
    _handed_back(
        _GIVEN, outcome="interrupted", error=f"'{INTERRUPTED_ERROR}'", status=_QUEUED_OR_CANCELLED, reason="h.stopped"
    )
    + _LEFT_OUT
)


def ref_parameters(refs: Sequence[ClaimRef]) -> list[Any]:
    return [texts([ref.execution_id for ref in refs]), numbers([ref.attempt_no for ref in refs])]
