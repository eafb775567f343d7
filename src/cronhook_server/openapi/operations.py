"""What every route takes and answers."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from attrs import frozen

from cronhook_core.domain.execution import ExecutionStatus
from cronhook_core.domain.job import JobStatus
from cronhook_core.wire import v1
from cronhook_server.routes.logs import MAX_OFFSET, LogStatus, Order
from cronhook_server.routes.paging import DEFAULT_LIMIT, MAX_LIMIT

Schema = dict[str, Any]


@frozen(kw_only=True)
class Operation:
    """``model`` None: no body is answered. ``body_required`` False: none, or an empty object, is as good."""

    name: str
    method: str
    path: str
    summary: str
    scope: str | None
    status: int = 200
    model: type[Any] | None = None
    content_type: str = "application/json"
    body: type[Any] | None = None
    body_required: bool = True
    query: tuple[tuple[str, Schema], ...] = ()
    problems: tuple[int, ...] = ()
    also: tuple[int, ...] = ()
    idempotent: bool = False


def _words(words: type[StrEnum]) -> Schema:
    return {"type": "string", "enum": [word.value for word in words]}


_TEXT: Schema = {"type": "string", "minLength": 1, "maxLength": 256}
_LIMIT = ("limit", {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT})
_OFFSET = ("offset", {"type": "integer", "minimum": 0, "maximum": MAX_OFFSET, "default": 0})
_CURSOR = ("cursor", _TEXT)
_BODY = (408, 413, 415)
_JOB, _EXECUTION, _KEY = "/v1/jobs/{job_id}", "/v1/executions/{execution_id}", "/v1/keys/{key_id}"
_SECRET = "/v1/workspace/signing-secret"  # noqa: S105 - a path


def _read(name: str, path: str, summary: str, model: type[Any], *, scope: str = "read", **more: Any) -> Operation:
    return Operation(name=name, method="get", path=path, summary=summary, scope=scope, model=model, **more)


def _act(name: str, path: str, summary: str, model: type[Any], *, status: int = 200) -> Operation:
    return Operation(
        name=name,
        method="post",
        path=path,
        summary=summary,
        scope="write",
        model=model,
        status=status,
        idempotent=True,
        problems=(404, 409, 422, *_BODY),
    )


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        name="create_job",
        method="post",
        path="/v1/jobs",
        summary="Store a job",
        scope="write",
        status=201,
        model=v1.JobRead,
        body=v1.JobWrite,
        idempotent=True,
        problems=(409, 422, *_BODY),
    ),
    _read(
        "list_jobs",
        "/v1/jobs",
        "List jobs, newest first",
        v1.JobPage,
        query=(("status", _words(JobStatus)), ("tag", _TEXT), ("q", _TEXT), _LIMIT, _CURSOR),
    ),
    _read("get_job", _JOB, "Read a job", v1.JobRead, problems=(404,)),
    Operation(
        name="update_job",
        method="patch",
        path=_JOB,
        summary="Change fields of a job",
        scope="write",
        model=v1.JobRead,
        body=v1.JobWrite,
        problems=(404, 409, *_BODY),
    ),
    Operation(
        name="delete_job",
        method="delete",
        path=_JOB,
        summary="Delete a job",
        scope="write",
        status=204,
        problems=(404, 409),
    ),
    _act("pause_job", f"{_JOB}/pause", "Pause a job", v1.JobRead),
    _act("resume_job", f"{_JOB}/resume", "Resume a job, from now on", v1.JobRead),
    _act("run_job", f"{_JOB}/run", "Run a job now", v1.ExecutionRead, status=202),
    _read(
        "list_logs",
        f"{_JOB}/logs",
        "List attempts of a job",
        v1.LogPage,
        query=(("status", _words(LogStatus)), ("order", _words(Order)), _OFFSET, _LIMIT),
        problems=(404,),
    ),
    _read(
        "list_executions",
        f"{_JOB}/executions",
        "List executions of a job, newest first",
        v1.ExecutionPage,
        query=(("status", _words(ExecutionStatus)), _LIMIT, _CURSOR),
        problems=(404,),
    ),
    _read("get_execution", _EXECUTION, "Read an execution with its attempts", v1.ExecutionDetail, problems=(404,)),
    _act("cancel_execution", f"{_EXECUTION}/cancel", "Cancel a queued execution", v1.ExecutionRead),
    _act("replay_execution", f"{_EXECUTION}/replay", "Run an ended one's job again", v1.ExecutionRead, status=202),
    Operation(
        name="preview_schedule",
        method="post",
        path="/v1/schedules/preview",
        summary="Show what a schedule would do",
        scope="read",
        model=v1.PreviewRead,
        body=v1.PreviewWrite,
        problems=_BODY,
    ),
    Operation(
        name="create_key",
        method="post",
        path="/v1/keys",
        summary="Make an API key",
        scope="admin",
        status=201,
        model=v1.KeyMade,
        body=v1.KeyWrite,
        problems=_BODY,
    ),
    _read("list_keys", "/v1/keys", "List API keys", v1.KeyList, scope="admin"),
    Operation(
        name="revoke_key",
        method="delete",
        path=_KEY,
        summary="Revoke an API key",
        scope="admin",
        status=204,
        problems=(404,),
    ),
    Operation(
        name="rotate_key",
        method="post",
        path=f"{_KEY}/rotate",
        summary="Replace an API key",
        scope="admin",
        status=201,
        model=v1.KeyMade,
        body=v1.KeyRotate,
        body_required=False,
        problems=(404, 409, *_BODY),
    ),
    _read("get_workspace", "/v1/workspace", "Read the workspace", v1.WorkspaceRead, problems=(404,)),
    _read("get_signing_secret", _SECRET, "Read the signing secret", v1.SigningSecretRead, scope="admin"),
    Operation(
        name="rotate_signing_secret",
        method="post",
        path=f"{_SECRET}/rotate",
        summary="Replace the signing secret",
        scope="admin",
        model=v1.SigningSecretRead,
        body=v1.SecretRotate,
        body_required=False,
        problems=(404, *_BODY),
    ),
    Operation(
        name="health",
        method="get",
        path="/health",
        summary="Whether all dependencies answer",
        scope=None,
        model=v1.Health,
        also=(500,),
    ),
    Operation(
        name="live", method="get", path="/livez", summary="Whether the process answers", scope=None, model=v1.Health
    ),
    Operation(
        name="ready",
        method="get",
        path="/readyz",
        summary="Whether requests can be served",
        scope=None,
        model=v1.Health,
        also=(503,),
    ),
    Operation(
        name="metrics",
        method="get",
        path="/metrics",
        summary="Metrics",
        scope=None,
        model=str,
        content_type="text/plain",
    ),
)
