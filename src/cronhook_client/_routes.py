"""Every route of the API that the client calls."""

from __future__ import annotations

from typing import Any

from cronhook_client._call import Repeat, Route
from cronhook_client._reading import a, any_json, nothing, text
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

_KEYED, _NEVER = Repeat.KEYED, Repeat.NEVER

CREATE_JOB = Route(method="POST", path="/v1/jobs", read=a(JobRead), status=201, repeat=_KEYED)
LIST_JOBS = Route(method="GET", path="/v1/jobs", read=a(JobPage))
GET_JOB = Route(method="GET", path="/v1/jobs/{job_id}", read=a(JobRead))
UPDATE_JOB = Route(method="PATCH", path="/v1/jobs/{job_id}", read=a(JobRead))
DELETE_JOB = Route(method="DELETE", path="/v1/jobs/{job_id}", read=nothing, status=204)
PAUSE_JOB = Route(method="POST", path="/v1/jobs/{job_id}/pause", read=a(JobRead), repeat=_KEYED)
RESUME_JOB = Route(method="POST", path="/v1/jobs/{job_id}/resume", read=a(JobRead), repeat=_KEYED)
RUN_JOB = Route(method="POST", path="/v1/jobs/{job_id}/run", read=a(ExecutionRead), status=202, repeat=_KEYED)

LIST_LOGS = Route(method="GET", path="/v1/jobs/{job_id}/logs", read=a(LogPage))

LIST_EXECUTIONS = Route(method="GET", path="/v1/jobs/{job_id}/executions", read=a(ExecutionPage))
GET_EXECUTION = Route(method="GET", path="/v1/executions/{execution_id}", read=a(ExecutionDetail))
CANCEL_EXECUTION = Route(
    method="POST", path="/v1/executions/{execution_id}/cancel", read=a(ExecutionRead), repeat=_KEYED
)
REPLAY_EXECUTION = Route(
    method="POST", path="/v1/executions/{execution_id}/replay", read=a(ExecutionRead), status=202, repeat=_KEYED
)

PREVIEW = Route(method="POST", path="/v1/schedules/preview", read=a(PreviewRead))

CREATE_KEY = Route(method="POST", path="/v1/keys", read=a(KeyMade), status=201, repeat=_NEVER)
LIST_KEYS = Route(method="GET", path="/v1/keys", read=a(KeyList))
REVOKE_KEY = Route(method="DELETE", path="/v1/keys/{key_id}", read=nothing, status=204)
ROTATE_KEY = Route(method="POST", path="/v1/keys/{key_id}/rotate", read=a(KeyMade), status=201, repeat=_NEVER)

GET_WORKSPACE = Route(method="GET", path="/v1/workspace", read=a(WorkspaceRead))
GET_SIGNING_SECRET = Route(method="GET", path="/v1/workspace/signing-secret", read=a(SigningSecretRead))
ROTATE_SIGNING_SECRET = Route(
    method="POST", path="/v1/workspace/signing-secret/rotate", read=a(SigningSecretRead), repeat=_NEVER
)

HEALTH = Route(method="GET", path="/health", read=a(Health), told_by=(500,), needs_key=False)
LIVE = Route(method="GET", path="/livez", read=a(Health), needs_key=False)
READY = Route(method="GET", path="/readyz", read=a(Health), told_by=(503,), needs_key=False)
METRICS = Route(method="GET", path="/metrics", read=text, needs_key=False)
OPENAPI = Route(method="GET", path="/openapi.json", read=any_json, needs_key=False)

ROUTES: tuple[Route[Any], ...] = (
    CREATE_JOB,
    LIST_JOBS,
    GET_JOB,
    UPDATE_JOB,
    DELETE_JOB,
    PAUSE_JOB,
    RESUME_JOB,
    RUN_JOB,
    LIST_LOGS,
    LIST_EXECUTIONS,
    GET_EXECUTION,
    CANCEL_EXECUTION,
    REPLAY_EXECUTION,
    PREVIEW,
    CREATE_KEY,
    LIST_KEYS,
    REVOKE_KEY,
    ROTATE_KEY,
    GET_WORKSPACE,
    GET_SIGNING_SECRET,
    ROTATE_SIGNING_SECRET,
    HEALTH,
    LIVE,
    READY,
    METRICS,
    OPENAPI,
)
"""All of them, to be held against the server's OpenAPI document. ``/docs`` is for browsers."""
