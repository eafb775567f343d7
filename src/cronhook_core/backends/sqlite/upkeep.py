"""Workers' lives, and forgetting what is old."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, Integer, delete, literal_column, or_, select, update
from sqlalchemy.dialects.sqlite import insert

from cronhook_core.backends.sql.tables import (
    PROBE,
    attempts,
    executions,
    idempotency_records,
    meta,
    open_jobs,
    workers,
)
from cronhook_core.backends.sqlite.batches import keys, listed
from cronhook_core.domain.idempotency import KEPT_FOR
from cronhook_core.domain.ids import first_id_after

EXPIRED_AT_ONCE = 20_000
"""Records of one pass: as many a minute as Postgres deletes in its slices."""

_rowid = literal_column("rowid", Integer)
_PROBED = (
    insert(meta).values(key=PROBE, value="").on_conflict_do_update(index_elements=[meta.c.key], set_={"value": ""})
)
_newer = executions.alias("newer")
_REMOVE_ATTEMPTS = delete(attempts).where(listed(attempts.c.execution_id))
_REMOVE_EXECUTIONS = delete(executions).where(listed(executions.c.id))


def ping(connection: Connection) -> None:
    connection.execute(select(meta.c.key).limit(1)).all()


def ping_writing(connection: Connection) -> None:
    """A file whose disk is full, or that may only be read, answers reads."""
    connection.execute(_PROBED)


def register_worker(connection: Connection, worker_id: str, now: datetime) -> None:
    values = {"id": worker_id, "beat": 0, "registered_at": now, "last_beat_at": now}
    connection.execute(insert(workers).values(values).on_conflict_do_nothing())


def bury_worker(connection: Connection, worker_id: str, beat: int, now: datetime) -> bool:
    buries = update(workers).where(workers.c.id == worker_id, workers.c.beat == beat, workers.c.buried_at.is_(None))
    return connection.execute(buries.values(buried_at=now)).rowcount == 1


def retire_worker(connection: Connection, worker_id: str) -> None:
    connection.execute(delete(workers).where(workers.c.id == worker_id))


def prunable(connection: Connection, before: datetime, limit: int) -> list[str]:
    """Final executions that ended before ``before`` and are not the newest of an active or paused job.

    What ended before an instant was due before it, and ids are in the order of time.
    """
    has_newer = select(_newer.c.id).where(_newer.c.job_id == executions.c.job_id, _newer.c.id > executions.c.id)
    is_open = select(open_jobs.c.job_id).where(
        open_jobs.c.workspace_id == executions.c.workspace_id, open_jobs.c.job_id == executions.c.job_id
    )
    may_go = or_(has_newer.exists(), ~is_open.exists())
    old = [executions.c.id < first_id_after("exe", before), executions.c.finished_at < before, may_go]
    return list(
        connection.execute(select(executions.c.id).where(*old).order_by(executions.c.id).limit(limit)).scalars()
    )


def prune(connection: Connection, execution_ids: Sequence[str], before: datetime, now: datetime) -> int:
    connection.execute(_REMOVE_ATTEMPTS, keys(execution_ids))
    expired = select(_rowid).select_from(idempotency_records).where(idempotency_records.c.created_at < now - KEPT_FOR)
    connection.execute(delete(idempotency_records).where(_rowid.in_(expired.limit(EXPIRED_AT_ONCE))))
    connection.execute(delete(workers).where(workers.c.buried_at < before))
    return connection.execute(_REMOVE_EXECUTIONS, keys(execution_ids)).rowcount
