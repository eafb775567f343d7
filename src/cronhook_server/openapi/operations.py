"""What every route takes and answers."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from attrs import frozen

from cronhook_core.domain.execution import ExecutionStatus
from cronhook_core.domain.job import JobStatus
from cronhook_core.wire import v1
from cronhook_server.openapi.bounds import TEXT, Schema
from cronhook_server.reading import MAX_QUERY_TEXT
from cronhook_server.routes.including import Include
from cronhook_server.routes.logs import MAX_OFFSET, LogStatus, Order
from cronhook_server.routes.paging import DEFAULT_LIMIT, MAX_LIMIT, write_cursor


@frozen(kw_only=True)
class Operation:
    """What one method of one path takes and answers.

    ``model`` None: no body is answered. ``body`` is the name of a schema, None where no body is read; ``body_required``
    False: none, or an empty object, is as good. ``codes`` are those of `KINDS` beside the ones of every route;
    ``also`` are statuses that are answered with the ``model`` as well. ``makes`` is the path parameter that names what
    the answer is about, where that is new; ``location``: the answer says where it is found.
    """

    name: str
    method: str
    path: str
    summary: str
    scope: str | None
    status: int = 200
    model: type[Any] | None = None
    content_type: str = "application/json"
    body: str | None = None
    body_required: bool = True
    query: tuple[tuple[str, Schema], ...] = ()
    codes: tuple[str, ...] = ()
    also: tuple[int, ...] = ()
    idempotent: bool = False
    makes: str | None = None
    location: bool = False

    @property
    def tag(self) -> str:
        if self.scope:
            return self.path.split("/")[2]
        return "documents" if self.path in DOCUMENTS else "probes"


class Document:
    """The answer that is this description itself."""


DOCUMENTS = ("/openapi.json", "/docs", "/docs/errors")
"""Where the API describes itself."""

NOTHING = "Nothing"
"""The schema of the body of an action: none, or an object without fields."""

EXAMPLE_IDS = {
    "job": "job_01kb00000000000000000000ab",
    "exe": "exe_01kb00000000000000000000cd",
    "key": "key_01kb00000000000000000000ef",
    "wsp": "wsp_01kb00000000000000000000gh",
}


def _words(words: type[StrEnum], default: StrEnum | None = None) -> Schema:
    found: Schema = {"type": "string", "enum": [word.value for word in words]}
    return found if default is None else found | {"default": default.value}


def _cursor(kind: str, name: str) -> tuple[str, Schema]:
    described = "The `next_cursor` of the page before."
    example = write_cursor(EXAMPLE_IDS[kind])
    return "cursor", {"type": "string", "format": f"{name}-cursor", "description": described, "examples": [example]}


_TEXT: Schema = {"type": "string", "minLength": 1, "maxLength": MAX_QUERY_TEXT, **TEXT}
_LIMIT = ("limit", {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT})
_OFFSET = ("offset", {"type": "integer", "minimum": 0, "maximum": MAX_OFFSET, "default": 0})
_BODY = ("request_timeout", "payload_too_large", "unsupported_media_type")
_SCHEDULE = ("invalid_cron", "invalid_timezone", "invalid_run_at")
_DEFINITION = (*_SCHEDULE, "invalid_callback_url", "invalid_headers", "quota_exceeded", *_BODY)
_STARTING = ("unavailable",)
"""Of what needs no database itself, but is not there before the server has found it."""
_REPEATED = ("idempotency_in_progress", "idempotency_mismatch")
_JOB, _EXECUTION, _KEY = "/v1/jobs/{job_id}", "/v1/executions/{execution_id}", "/v1/keys/{key_id}"
_SECRET = "/v1/workspace/signing-secret"  # noqa: S105 - a path


def _read(name: str, path: str, summary: str, model: type[Any], *, scope: str = "read", **more: Any) -> Operation:
    codes = ("not_found",) if "{" in path else ()
    return Operation(name=name, method="get", path=path, summary=summary, scope=scope, model=model, codes=codes, **more)


def _act(name: str, path: str, summary: str, model: type[Any], *, status: int = 200) -> Operation:
    return Operation(
        name=name,
        method="post",
        path=path,
        summary=summary,
        scope="write",
        model=model,
        status=status,
        body=NOTHING,
        body_required=False,
        idempotent=True,
        makes="execution_id" if status == 202 else None,
        location=status == 202,
        codes=("not_found", "conflict", "quota_exceeded", *_REPEATED, *_BODY),
    )


def _page(name: str, path: str, summary: str) -> Operation:
    return Operation(
        name=name,
        method="get",
        path=path,
        summary=summary,
        scope=None,
        model=str,
        content_type="text/html",
        codes=_STARTING,
    )


def _probe(name: str, path: str, summary: str, also: tuple[int, ...] = ()) -> Operation:
    return Operation(name=name, method="get", path=path, summary=summary, scope=None, model=v1.Health, also=also)


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        name="create_job",
        method="post",
        path="/v1/jobs",
        summary="Store a job",
        scope="write",
        status=201,
        model=v1.JobRead,
        body="JobWrite",
        idempotent=True,
        makes="job_id",
        location=True,
        codes=(*_DEFINITION, *_REPEATED),
    ),
    _read(
        "list_jobs",
        "/v1/jobs",
        "List jobs, newest first",
        v1.JobPage,
        query=(
            ("status", _words(JobStatus)),
            ("tag", _TEXT),
            ("q", _TEXT),
            ("include", _words(Include)),
            _LIMIT,
            _cursor("job", "job"),
        ),
    ),
    _read("get_job", _JOB, "Read a job", v1.JobRead),
    Operation(
        name="update_job",
        method="patch",
        path=_JOB,
        summary="Change fields of a job",
        scope="write",
        model=v1.JobRead,
        body="JobPatch",
        codes=("not_found", "conflict", *_DEFINITION),
    ),
    Operation(
        name="delete_job",
        method="delete",
        path=_JOB,
        summary="Delete a job",
        scope="write",
        status=204,
        codes=("not_found", "conflict"),
    ),
    _act("pause_job", f"{_JOB}/pause", "Pause a job", v1.JobRead),
    _act("resume_job", f"{_JOB}/resume", "Resume a job, from now on", v1.JobRead),
    _act("run_job", f"{_JOB}/run", "Run a job now", v1.ExecutionRead, status=202),
    _read(
        "list_logs",
        f"{_JOB}/logs",
        "List attempts of a job",
        v1.LogPage,
        query=(("status", _words(LogStatus)), ("order", _words(Order, Order.DESC)), _OFFSET, _LIMIT),
    ),
    _read(
        "list_executions",
        f"{_JOB}/executions",
        "List executions of a job, newest first",
        v1.ExecutionPage,
        query=(("status", _words(ExecutionStatus)), _LIMIT, _cursor("exe", "execution")),
    ),
    _read("get_execution", _EXECUTION, "Read an execution with its attempts", v1.ExecutionDetail),
    _act("cancel_execution", f"{_EXECUTION}/cancel", "Cancel a queued execution", v1.ExecutionRead),
    _act("replay_execution", f"{_EXECUTION}/replay", "Run an ended one's job again", v1.ExecutionRead, status=202),
    Operation(
        name="preview_schedule",
        method="post",
        path="/v1/schedules/preview",
        summary="Show what a schedule would do",
        scope="read",
        model=v1.PreviewRead,
        body="PreviewWrite",
        codes=(*_SCHEDULE, *_BODY),
    ),
    Operation(
        name="create_key",
        method="post",
        path="/v1/keys",
        summary="Make an API key",
        scope="admin",
        status=201,
        model=v1.KeyMade,
        makes="key_id",
        body="KeyWrite",
        codes=("quota_exceeded", *_BODY),
    ),
    _read("list_keys", "/v1/keys", "List API keys", v1.KeyList, scope="admin"),
    Operation(
        name="revoke_key",
        method="delete",
        path=_KEY,
        summary="Revoke an API key",
        scope="admin",
        status=204,
        codes=("not_found",),
    ),
    Operation(
        name="rotate_key",
        method="post",
        path=f"{_KEY}/rotate",
        summary="Replace an API key",
        scope="admin",
        status=201,
        model=v1.KeyMade,
        makes="key_id",
        body="KeyRotate",
        body_required=False,
        codes=("not_found", "conflict", "quota_exceeded", *_BODY),
    ),
    _read("get_workspace", "/v1/workspace", "Read the workspace", v1.WorkspaceRead),
    _read("get_signing_secret", _SECRET, "Read the signing secret", v1.SigningSecretRead, scope="admin"),
    Operation(
        name="rotate_signing_secret",
        method="post",
        path=f"{_SECRET}/rotate",
        summary="Replace the signing secret",
        scope="admin",
        model=v1.SigningSecretRead,
        body="SecretRotate",
        body_required=False,
        codes=_BODY,
    ),
    _probe("health", "/health", "Whether all dependencies answer", (500,)),
    _probe("live", "/livez", "Whether the process answers"),
    _probe("ready", "/readyz", "Whether requests can be served", (503,)),
    Operation(
        name="metrics",
        method="get",
        path="/metrics",
        summary="Metrics",
        scope=None,
        model=str,
        content_type="text/plain",
        codes=_STARTING,
    ),
    Operation(
        name="openapi",
        method="get",
        path="/openapi.json",
        summary="This document",
        scope=None,
        model=Document,
        codes=_STARTING,
    ),
    _page("docs", "/docs", "This document, for people"),
    _page("errors", "/docs/errors", "What each code of an error means"),
)

IDEMPOTENCY_KEY: Schema = {
    "name": "idempotency-key",
    "in": "header",
    "required": False,
    "description": "Of the same key on the same path within 24 hours, the first request takes effect; "
    "the others get its answer again.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "example": "0f6f0b0e-9d0e-4a57-9d2c-order-4711",
}
