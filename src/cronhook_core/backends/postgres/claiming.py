"""Claim: one statement that takes executions, begins their attempts, and returns everything needed to send."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from cronhook_core.backends.postgres.arrays import texts
from cronhook_core.domain.claim import Claim
from cronhook_core.domain.execution import SUSPECT_LOSSES, Trigger
from cronhook_core.domain.retry_policy import RetryPolicy

_NO_SURPLUS_SUSPECT = f"""(
    p.losses < {SUSPECT_LOSSES}
    OR $4::bool AND p.id = (
        SELECT id FROM picked WHERE losses >= {SUSPECT_LOSSES} ORDER BY array_position($1::text[], id) LIMIT 1
    )
)"""
CLAIM = f"""
WITH worker AS MATERIALIZED (
    SELECT 1 FROM workers WHERE id = $2::text AND buried_at IS NULL FOR KEY SHARE
), picked AS MATERIALIZED (
    SELECT
        e.ctid AS place, e.id, e.losses,
        j.host, j.callback_url, j.headers, j.payload, j.timeout_us, j.retry_delays_seconds,
        CASE WHEN j.stored_bytes > 0 THEN j.stored_bytes ELSE octet_length(j.payload) END AS size
    FROM worker, executions e JOIN jobs j ON j.id = ANY (ARRAY[e.job_id])
    WHERE e.id = ANY ($1::text[])
      AND e.status = 'queued' AND e.available_at <= $3::timestamptz
      AND CASE WHEN j.deleted_at IS NULL THEN j.status <> 'paused' OR e.trigger <> 'schedule' ELSE false END
    FOR UPDATE OF e SKIP LOCKED
), fitting AS (
    SELECT id FROM (
        SELECT p.id, sum(p.size) OVER in_order AS through, row_number() OVER in_order AS number
        FROM picked p
        WHERE {_NO_SURPLUS_SUSPECT}
        WINDOW in_order AS (ORDER BY array_position($1::text[], p.id))
    ) one WHERE through <= $5::bigint OR number = 1
), taken AS (
    UPDATE executions e SET
        status = 'running',
        attempt_no = e.attempt_no + 1,
        worker_id = $2::text,
        started_at = coalesce(e.started_at, $3::timestamptz)
    FROM picked p
    WHERE e.ctid = p.place
      AND {_NO_SURPLUS_SUSPECT}
      AND ((SELECT sum(size) FROM picked) <= $5::bigint OR p.id IN (SELECT id FROM fitting))
    RETURNING
        e.id, e.attempt_no, e.job_id, e.workspace_id, p.host, e.trigger, e.scheduled_for, e.retries_used, e.losses,
        p.callback_url, p.headers, p.payload, p.timeout_us, p.retry_delays_seconds
), held AS (
    INSERT INTO claims (execution_id, attempt_no, job_id, worker_id, started_at)
    SELECT id, attempt_no, job_id, $2::text, $3::timestamptz FROM taken
)
SELECT * FROM taken
"""
"""Races. Two claims: the second skips what the first holds; what the first committed after our snapshot was taken is
judged again in its newest version and is not queued any more. A pause or delete writes the job first and cancels what
is queued in a later statement of the same transaction: when our snapshot shows the job still allowed, that
transaction was not committed, so either we hold the execution first, and it finds it running, or it does, and we skip
it or find it cancelled. Therefore the job's row needs no lock here. A burial locks the worker's row for update, which
the key share of ``worker`` excludes: it waits for our commit and what is looked for after it finds our claims, or we
wait for it and then find no worker. (A beat, an update of other columns, is not held up.) Executions are never waited
for, so no claim takes part in a deadlock, and none needs an order. ``place`` finds again what is locked; a row that was
written after our snapshot is not found there, and that execution is left for another claim.

``fitting``, whose order takes time by the square of the ids, is evaluated only where not all that is picked fits. No
payload is read for it: a size is a column, or the length in the header of what is stored.

``CASE`` keeps the guard on ``deleted_at`` out of reach of the index over what is kept: else a generic plan may walk
through the jobs of all workspaces and look for ours among them.
"""


def claim_parameters(
    ids: Sequence[str], worker_id: str, now: datetime, with_suspect: bool, max_bytes: int
) -> list[Any]:
    return [texts(ids), worker_id, now, with_suspect, max_bytes]


def claims_from(rows: Sequence[tuple[Any, ...]], ids: Sequence[str]) -> list[Claim]:
    """The rows of `CLAIM`, in the order in which the executions were named."""
    claims = {row[0]: _claim_from(row) for row in rows}
    return [claims[execution_id] for execution_id in dict.fromkeys(ids) if execution_id in claims]


def _claim_from(row: tuple[Any, ...]) -> Claim:
    return Claim(
        execution_id=row[0],
        attempt_no=row[1],
        job_id=row[2],
        workspace_id=row[3],
        host=row[4],
        trigger=Trigger(row[5]),
        scheduled_for=row[6].astimezone(UTC),
        retries_used=row[7],
        losses=row[8],
        callback_url=row[9],
        headers=_headers(row[10]),
        payload=row[11],
        timeout=timedelta(microseconds=row[12]),
        retry_policy=_retry_policy(row[13]),
    )


def _headers(text: str) -> tuple[tuple[str, str], ...]:
    return () if text == "[]" else tuple((name, value) for name, value in json.loads(text))


@lru_cache(maxsize=1024)
def _retry_policy(text: str) -> RetryPolicy:
    """Nearly all jobs share a few policies."""
    return RetryPolicy(delays=tuple(timedelta(seconds=seconds) for seconds in json.loads(text)))
