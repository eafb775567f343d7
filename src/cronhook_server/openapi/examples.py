"""Examples of what is sent and answered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from cronhook_core.domain.api_key import Scope
from cronhook_core.domain.execution import ExecutionStatus, Trigger
from cronhook_core.domain.job import JobStatus
from cronhook_core.domain.schedule_warnings import WarningCode
from cronhook_core.domain.webhook import Outcome
from cronhook_core.wire import v1
from cronhook_core.wire.converter import to_json
from cronhook_server.openapi.operations import EXAMPLE_IDS, Document, Operation

REQUEST_ID = "req_0123456789abcdef01234567"
_DAY = datetime(2026, 11, 23, 9, tzinfo=UTC)
_MADE = datetime(2026, 11, 2, 14, 30, tzinfo=UTC)
_LOG_ID = f"log_{EXAMPLE_IDS['exe'].removeprefix('exe_')}0001"

_DAILY: dict[str, Any] = {
    "name": "daily report",
    "cron": "0 9 * * 1-5",
    "timezone": "Europe/Berlin",
    "callback_url": "https://example.com/hooks/report",
    "headers": {"x-team": "finance"},
    "payload": {"report": "daily"},
    "tags": ["reports"],
    "metadata": {"owner": "finance"},
}
_ONCE: dict[str, Any] = {
    "name": "end of the trial",
    "run_at": "2035-01-31T08:00:00Z",
    "callback_url": "https://example.com/hooks/trial-ended",
    "retry_delays_seconds": [10, 60],
    "timeout_seconds": 5,
}

BODIES: dict[str, dict[str, Any]] = {
    "JobWrite": {"again and again": _DAILY, "once": _ONCE},
    "JobPatch": {
        "another target": {"callback_url": "https://example.com/hooks/v2"},
        "another schedule": {"cron": "30 8 * * *", "timezone": "Asia/Tokyo"},
        "once instead": {"run_at": "2035-01-31T08:00:00Z"},
    },
    "PreviewWrite": {
        "again and again": {"cron": "30 2 * * *", "timezone": "Europe/Berlin", "count": 3},
        "once": {"run_at": "2035-01-31T08:00:00Z"},
    },
    "KeyWrite": {"a key that only reads": {"name": "dashboard", "scopes": ["read"]}},
    "KeyRotate": {"an hour to change over": {"grace_seconds": 3600}},
    "SecretRotate": {"a day to change over": {"grace_seconds": 86_400}},
    "Nothing": {"nothing": {}},
}

_JOB = v1.JobRead(
    **{name: value for name, value in _DAILY.items() if name != "tags"},
    id=EXAMPLE_IDS["job"],
    status=JobStatus.ACTIVE,
    inactive_reason=None,
    run_at=None,
    timeout_seconds=10,
    retry_delays_seconds=(30, 120, 600),
    tags=("reports",),
    next_run=_DAY + timedelta(days=1),
    last_run=_DAY,
    last_run_status=ExecutionStatus.SUCCEEDED,
    created_at=_MADE,
    updated_at=_MADE,
)
_EXECUTION: dict[str, Any] = {
    "id": EXAMPLE_IDS["exe"],
    "job_id": EXAMPLE_IDS["job"],
    "trigger": Trigger.SCHEDULE,
    "scheduled_for": _DAY,
    "status": ExecutionStatus.SUCCEEDED,
    "reason": None,
    "attempts": 1,
    "available_at": _DAY,
    "started_at": _DAY + timedelta(milliseconds=8),
    "finished_at": _DAY + timedelta(milliseconds=131),
    "missed_count": 0,
    "missed_from": None,
}
_LOG = v1.LogRow(
    id=_LOG_ID,
    job_id=EXAMPLE_IDS["job"],
    execution_id=EXAMPLE_IDS["exe"],
    scheduled_for=_DAY,
    attempt=1,
    status="succeeded",
    outcome=Outcome.SUCCEEDED,
    error=None,
    response_status=200,
    response_headers={"content-type": "text/plain"},
    response_body="ok",
    response_truncated=False,
    started_at=_DAY + timedelta(milliseconds=8),
    duration_ms=120.4,
    next_attempt_at=None,
)
_KEY: dict[str, Any] = {
    "id": EXAMPLE_IDS["key"],
    "name": "dashboard",
    "prefix": "chk_00000000",
    "scopes": (Scope.READ,),
    "created_at": _MADE,
    "expires_at": None,
    "revoked_at": None,
    "last_used_at": None,
}

_MODELS: tuple[object, ...] = (
    _JOB,
    v1.JobPage(data=(_JOB,), next_cursor=None),
    v1.ExecutionRead(**_EXECUTION),
    v1.ExecutionDetail(**_EXECUTION, logs=(_LOG,)),
    v1.ExecutionPage(data=(v1.ExecutionRead(**_EXECUTION),), next_cursor=None),
    v1.LogPage(data=(_LOG,), total=1, offset=0, limit=50, has_more=False),
    v1.PreviewRead(
        data=(v1.PreviewInstant(at=_DAY, local="2026-11-23T10:00:00+01:00"),),
        warnings=(v1.PreviewWarning(code=next(iter(WarningCode)), detail="On 2027-03-28 the clock skips 02:30."),),
    ),
    v1.KeyMade(**_KEY, key="chk_" + "0" * 49),
    v1.KeyList(data=(v1.KeyRead(**_KEY),)),
    v1.WorkspaceRead(
        id=EXAMPLE_IDS["wsp"],
        name="default",
        limits=v1.Limits(
            max_jobs=100,
            max_queued_executions=100_000,
            max_queued_executions_per_job=10_000,
            max_stored_bytes=1024**3,
        ),
        usage=v1.Usage(jobs=3, queued_executions=0, stored_bytes=1234),
    ),
    v1.SigningSecretRead(secret="whsec_c2hvd24gaGVyZQ==", version=1, previous_expires_at=None),  # noqa: S106
)
_BY_MODEL: dict[Any, object] = {type(example): example for example in _MODELS}


_PAGE = '<!doctype html><html lang="en"><title>cronhook</title></html>'
_TEXTS = {"text/plain": "cronhook_jobs_scheduled_total 1.0\n", "text/html": _PAGE}
_DOCUMENT = {
    "openapi": "3.1.0",
    "info": {
        "title": "cronhook",
        "version": "1.0.0",
        "summary": "Scheduled webhooks that you own.",
        "license": {"name": "MIT", "identifier": "MIT"},
    },
    "servers": [{"url": "/"}],
    "tags": [],
    "paths": {},
    "webhooks": {},
    "components": {"schemas": {}, "headers": {}, "securitySchemes": {}},
}


def example_of(operation: Operation, status: int) -> Any:
    """What an answer of this status looks like."""
    model = operation.model
    if model is v1.Health:
        word = v1.HealthStatus.OK if status == 200 else v1.HealthStatus.FAILING
        check = v1.HealthCheck(name="database", status=word, latency_ms=0.7)
        return to_json(v1.Health(status=word, checks=(check,)))
    if model is str:
        return _TEXTS[operation.content_type]
    return _DOCUMENT if model is Document else to_json(_BY_MODEL[model])
