"""Ready: what could be claimed now, oldest first; and when there is more to do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from cronhook_core.backends.postgres.arrays import texts
from cronhook_core.domain.execution import SUSPECT_LOSSES, QueueMessage

READY = f"""
SELECT e.id, e.job_id, e.workspace_id, e.host, e.scheduled_for, e.attempt_no
FROM open_executions o
JOIN executions e ON e.id = ANY (ARRAY[o.execution_id]) AND e.job_id = ANY (ARRAY[o.job_id])
JOIN jobs j ON j.id = ANY (ARRAY[e.job_id])
WHERE e.status = 'queued'
  AND o.available_at <= $1::timestamptz AND o.available_at > coalesce($2::timestamptz, '-infinity')
  AND NOT e.host = ANY ($3::text[]) AND NOT e.workspace_id = ANY ($4::text[])
  AND ($5::bool OR e.losses < {SUSPECT_LOSSES})
  AND CASE WHEN j.deleted_at IS NULL THEN j.status <> 'paused' OR e.trigger <> 'schedule' ELSE false END
ORDER BY o.available_at
LIMIT $6::int
"""
"""The index over what is open gives the order: a backlog is read until there is enough, and not as a whole. What runs
is passed over as soon as its execution is seen; there is no more of it than workers have slots.
"""

NEXT_DUE = """
SELECT least(
    (SELECT min(next_run) FROM timetable),
    (
        SELECT o.available_at
        FROM open_executions o
        JOIN executions e ON e.id = ANY (ARRAY[o.execution_id]) AND e.job_id = ANY (ARRAY[o.job_id])
        WHERE o.available_at > $1::timestamptz AND e.status = 'queued'
        ORDER BY o.available_at
        LIMIT 1
    )
)
"""


def ready_parameters(
    now: datetime,
    limit: int,
    skip_hosts: Sequence[str],
    skip_workspaces: Sequence[str],
    with_suspects: bool,
    after: datetime | None,
) -> list[Any]:
    return [now, after, texts(skip_hosts), texts(skip_workspaces), with_suspects, limit]


def ready_message(row: tuple[Any, ...]) -> QueueMessage:
    execution_id, job_id, workspace_id, host, scheduled_for, attempt_no = row
    return QueueMessage(
        execution_id=execution_id,
        job_id=job_id,
        workspace_id=workspace_id,
        host=host,
        scheduled_for=scheduled_for.astimezone(UTC),
        attempt=attempt_no + 1,
    )
