"""Requests that may be repeated. The workspace's row is locked, so that of two equal requests one waits."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from cronhook_core.backends.sql import rows
from cronhook_core.backends.sql.tables import idempotency_records as records
from cronhook_core.domain.execution import Execution
from cronhook_core.domain.idempotency import KEPT_FOR, USED_WITH_ANOTHER_BODY, IdempotentRequest
from cronhook_core.domain.job import Job
from cronhook_core.errors import AlreadyAnswered, IdempotencyMismatch


def refuse_repeat(connection: Connection, workspace_id: str, request: IdempotentRequest | None, now: datetime) -> None:
    """Raise `AlreadyAnswered` or `IdempotencyMismatch` for a request that was answered less than 24 h ago."""
    if request is None:
        return
    of_request = (records.c.workspace_id == workspace_id, records.c.path == request.path, records.c.key == request.key)
    connection.execute(delete(records).where(*of_request, records.c.created_at <= now - KEPT_FOR))
    refuse_answered(connection, workspace_id, request, now)


def refuse_answered(connection: Connection, workspace_id: str, request: IdempotentRequest, now: datetime) -> None:
    """`refuse_repeat` for what is only to be read."""
    stored = connection.execute(
        select(records).where(
            records.c.workspace_id == workspace_id,
            records.c.path == request.path,
            records.c.key == request.key,
            records.c.created_at > now - KEPT_FOR,
        )
    ).one_or_none()
    if stored is None:
        return
    if stored.fingerprint != request.fingerprint:
        raise IdempotencyMismatch(USED_WITH_ANOTHER_BODY)
    raise AlreadyAnswered(rows.answer_from(stored))


def keep_answer(
    connection: Connection,
    workspace_id: str,
    request: IdempotentRequest | None,
    effect: Job | Execution,
    now: datetime,
) -> None:
    if request is None:
        return
    record = {
        "workspace_id": workspace_id,
        "path": request.path,
        "key": request.key,
        "fingerprint": request.fingerprint,
        "created_at": now,
        **rows.answer_values(request.answer(effect)),
    }
    connection.execute(insert(records).values(record))
