"""Each call as data: from the arguments that users give to what is to be asked. No I/O; both clients drive these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cronhook_client import _routes as routes
from cronhook_client._call import Call
from cronhook_client._writing import body_of, instant, listed, mapped, query_of, unless_none
from cronhook_client.not_given import NotGiven
from cronhook_client.words import ExecutionStatusWord, IncludeWord, JobStatusWord, LogStatusWord, OrderWord, ScopeWord
from cronhook_core.wire.v1 import (
    ExecutionDetail,
    ExecutionPage,
    ExecutionRead,
    Health,
    JobPage,
    JobRead,
    KeyList,
    KeyMade,
    LogPage,
    PreviewRead,
    SigningSecretRead,
    WorkspaceRead,
)


def create_job(
    *,
    name: str,
    callback_url: str,
    cron: str | None,
    run_at: datetime | None,
    timezone: str | None,
    payload: Any,
    headers: Mapping[str, str] | None,
    timeout_seconds: float | None,
    retry_delays_seconds: Sequence[float] | None,
    tags: Sequence[str] | None,
    metadata: Mapping[str, str] | None,
    idempotency_key: str | None,
) -> Call[JobRead]:
    body = body_of(
        name=name,
        cron=unless_none(cron),
        run_at=unless_none(instant("run_at", run_at)),
        timezone=unless_none(timezone),
        callback_url=callback_url,
        headers=unless_none(mapped(headers)),
        payload=unless_none(payload),
        timeout_seconds=unless_none(timeout_seconds),
        retry_delays_seconds=unless_none(listed("retry_delays_seconds", retry_delays_seconds)),
        tags=unless_none(listed("tags", tags)),
        metadata=unless_none(mapped(metadata)),
    )
    return routes.CREATE_JOB.call(body=body, idempotency_key=idempotency_key)


def list_jobs(
    *,
    status: JobStatusWord | None,
    tag: str | None,
    q: str | None,
    include: IncludeWord | None,
    limit: int | None,
    cursor: str | None,
) -> Call[JobPage]:
    query = query_of(status=status, tag=tag, q=q, include=include, limit=limit, cursor=cursor)
    return routes.LIST_JOBS.call(query=query)


def get_job(job_id: str) -> Call[JobRead]:
    return routes.GET_JOB.call(job_id)


def update_job(
    job_id: str,
    *,
    name: str | NotGiven,
    callback_url: str | NotGiven,
    cron: str | NotGiven | None,
    run_at: datetime | NotGiven | None,
    timezone: str | NotGiven | None,
    payload: Any,
    headers: Mapping[str, str] | NotGiven,
    timeout_seconds: float | NotGiven | None,
    retry_delays_seconds: Sequence[float] | NotGiven,
    tags: Sequence[str] | NotGiven,
    metadata: Mapping[str, str] | NotGiven,
) -> Call[JobRead]:
    body = body_of(
        name=name,
        cron=cron,
        run_at=instant("run_at", run_at),
        timezone=timezone,
        callback_url=callback_url,
        headers=mapped(headers),
        payload=payload,
        timeout_seconds=timeout_seconds,
        retry_delays_seconds=listed("retry_delays_seconds", retry_delays_seconds),
        tags=listed("tags", tags),
        metadata=mapped(metadata),
    )
    return routes.UPDATE_JOB.call(job_id, body=body)


def delete_job(job_id: str) -> Call[None]:
    return routes.DELETE_JOB.call(job_id)


def pause_job(job_id: str, *, idempotency_key: str | None) -> Call[JobRead]:
    return routes.PAUSE_JOB.call(job_id, idempotency_key=idempotency_key)


def resume_job(job_id: str, *, idempotency_key: str | None) -> Call[JobRead]:
    return routes.RESUME_JOB.call(job_id, idempotency_key=idempotency_key)


def run_job(job_id: str, *, idempotency_key: str | None) -> Call[ExecutionRead]:
    return routes.RUN_JOB.call(job_id, idempotency_key=idempotency_key)


def list_logs(
    job_id: str, *, status: LogStatusWord | None, order: OrderWord | None, offset: int | None, limit: int | None
) -> Call[LogPage]:
    return routes.LIST_LOGS.call(job_id, query=query_of(status=status, order=order, offset=offset, limit=limit))


def list_executions(
    job_id: str, *, status: ExecutionStatusWord | None, limit: int | None, cursor: str | None
) -> Call[ExecutionPage]:
    return routes.LIST_EXECUTIONS.call(job_id, query=query_of(status=status, limit=limit, cursor=cursor))


def get_execution(execution_id: str) -> Call[ExecutionDetail]:
    return routes.GET_EXECUTION.call(execution_id)


def cancel_execution(execution_id: str, *, idempotency_key: str | None) -> Call[ExecutionRead]:
    return routes.CANCEL_EXECUTION.call(execution_id, idempotency_key=idempotency_key)


def replay_execution(execution_id: str, *, idempotency_key: str | None) -> Call[ExecutionRead]:
    return routes.REPLAY_EXECUTION.call(execution_id, idempotency_key=idempotency_key)


def preview(
    *, cron: str | None, timezone: str | None, run_at: datetime | None, after: datetime | None, count: int | None
) -> Call[PreviewRead]:
    body = body_of(
        cron=unless_none(cron),
        timezone=unless_none(timezone),
        run_at=unless_none(instant("run_at", run_at)),
        after=unless_none(instant("after", after)),
        count=unless_none(count),
    )
    return routes.PREVIEW.call(body=body)


def create_key(*, name: str, scopes: Sequence[ScopeWord], expires_at: datetime | None) -> Call[KeyMade]:
    body = body_of(
        name=name, scopes=listed("scopes", scopes), expires_at=unless_none(instant("expires_at", expires_at))
    )
    return routes.CREATE_KEY.call(body=body)


def list_keys() -> Call[KeyList]:
    return routes.LIST_KEYS.call()


def revoke_key(key_id: str) -> Call[None]:
    return routes.REVOKE_KEY.call(key_id)


def rotate_key(key_id: str, *, grace_seconds: float | None) -> Call[KeyMade]:
    return routes.ROTATE_KEY.call(key_id, body=body_of(grace_seconds=unless_none(grace_seconds)))


def get_workspace() -> Call[WorkspaceRead]:
    return routes.GET_WORKSPACE.call()


def get_signing_secret() -> Call[SigningSecretRead]:
    return routes.GET_SIGNING_SECRET.call()


def rotate_signing_secret(*, grace_seconds: float | None) -> Call[SigningSecretRead]:
    return routes.ROTATE_SIGNING_SECRET.call(body=body_of(grace_seconds=unless_none(grace_seconds)))


def health() -> Call[Health]:
    return routes.HEALTH.call()


def live() -> Call[Health]:
    return routes.LIVE.call()


def ready() -> Call[Health]:
    return routes.READY.call()


def metrics() -> Call[str]:
    return routes.METRICS.call()


def openapi() -> Call[dict[str, Any]]:
    return routes.OPENAPI.call()
