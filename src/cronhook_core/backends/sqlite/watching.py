"""What schedulers and workers ask and tell every second, though nothing happens, on a bare connection.

Every statement here sees one state of the database, and is short; instants are microseconds since the epoch.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime

from cronhook_core.backends.sql.tables import PROBE
from cronhook_core.backends.sql.types import from_stored, to_stored
from cronhook_core.domain.claim import ClaimRef
from cronhook_core.domain.execution import SUSPECT_LOSSES, QueueMessage
from cronhook_core.domain.worker_life import WorkerBeat

READY = """
SELECT e.id, e.job_id, e.workspace_id, e.host, e.scheduled_for, e.attempt_no
FROM open_executions o
JOIN executions e ON e.id = o.execution_id
JOIN jobs j ON j.id = o.job_id
WHERE e.status = 'queued'
  AND o.available_at <= :now AND o.available_at > :after
  AND e.host NOT IN (SELECT value FROM json_each(:skip_hosts))
  AND e.workspace_id NOT IN (SELECT value FROM json_each(:skip_workspaces))
  AND (:with_suspects OR e.losses < :suspect_losses)
  AND j.deleted_at IS NULL AND (j.status <> 'paused' OR e.trigger <> 'schedule')
ORDER BY o.available_at
LIMIT :limit
"""
NEXT_DUE = """
SELECT
    (SELECT min(next_run) FROM timetable),
    (
        SELECT o.available_at
        FROM open_executions o
        JOIN executions e ON e.id = o.execution_id
        WHERE o.available_at > :now AND e.status = 'queued'
        ORDER BY o.available_at
        LIMIT 1
    )
"""
HELD_BY = "SELECT execution_id, attempt_no FROM claims WHERE worker_id = :worker_id"
ABANDONED = """
SELECT execution_id, attempt_no
FROM claims
WHERE NOT EXISTS (SELECT 1 FROM workers WHERE workers.id = claims.worker_id AND workers.buried_at IS NULL)
LIMIT :limit
"""
WORKER_BEATS = "SELECT id, beat FROM workers WHERE buried_at IS NULL"
BEAT = "UPDATE workers SET beat = beat + 1, last_beat_at = :now WHERE id = :worker_id AND buried_at IS NULL"
PROBE_WRITING = "INSERT INTO meta (key, value) VALUES (:key, '') ON CONFLICT (key) DO UPDATE SET value = ''"
_LONG_AGO = -(2**63)


def ready(
    connection: sqlite3.Connection,
    now: datetime,
    limit: int,
    skip_hosts: Sequence[str],
    skip_workspaces: Sequence[str],
    with_suspects: bool,
    after: datetime | None,
) -> list[QueueMessage]:
    parameters = {
        "now": to_stored(now),
        "after": _LONG_AGO if after is None else to_stored(after),
        "skip_hosts": json.dumps(skip_hosts),
        "skip_workspaces": json.dumps(skip_workspaces),
        "with_suspects": with_suspects,
        "suspect_losses": SUSPECT_LOSSES,
        "limit": limit,
    }
    return [
        QueueMessage(
            execution_id=execution_id,
            job_id=job_id,
            workspace_id=workspace_id,
            host=host,
            scheduled_for=from_stored(scheduled_for),
            attempt=attempt_no + 1,
        )
        for execution_id, job_id, workspace_id, host, scheduled_for, attempt_no in connection.execute(READY, parameters)
    ]


def next_due(connection: sqlite3.Connection, now: datetime) -> datetime | None:
    [found] = connection.execute(NEXT_DUE, {"now": to_stored(now)}).fetchall()
    return from_stored(min((instant for instant in found if instant is not None), default=None))


def running(connection: sqlite3.Connection, worker_id: str) -> list[ClaimRef]:
    return _refs(connection.execute(HELD_BY, {"worker_id": worker_id}))


def abandoned(connection: sqlite3.Connection, limit: int) -> list[ClaimRef]:
    """The claims of workers that are not alive."""
    return _refs(connection.execute(ABANDONED, {"limit": limit}))


def worker_beats(connection: sqlite3.Connection) -> list[WorkerBeat]:
    """Where nothing can be written, no worker is silent: its beats cannot be written either."""
    connection.execute(PROBE_WRITING, {"key": PROBE})
    return [WorkerBeat(worker_id=worker_id, beat=beat) for worker_id, beat in connection.execute(WORKER_BEATS)]


def beat(connection: sqlite3.Connection, worker_id: str, now: datetime) -> bool:
    return connection.execute(BEAT, {"worker_id": worker_id, "now": to_stored(now)}).rowcount == 1


def _refs(found: sqlite3.Cursor) -> list[ClaimRef]:
    return [ClaimRef(execution_id=execution_id, attempt_no=attempt_no) for execution_id, attempt_no in found]
