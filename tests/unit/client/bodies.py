"""Bodies as the server writes them."""

from typing import Any

AT = "2030-01-31T08:00:00Z"

JOB: dict[str, Any] = {
    "id": "job_1",
    "name": "report",
    "status": "active",
    "inactive_reason": None,
    "cron": "0 9 * * *",
    "run_at": None,
    "timezone": "UTC",
    "callback_url": "https://app.example/report",
    "headers": {},
    "payload": {"a": [1, None]},
    "timeout_seconds": 10,
    "retry_delays_seconds": [30, 120.5],
    "tags": ["daily"],
    "metadata": {},
    "next_run": AT,
    "last_run": None,
    "last_run_status": None,
    "created_at": AT,
    "updated_at": AT,
}
EXECUTION: dict[str, Any] = {
    "id": "exe_1",
    "job_id": "job_1",
    "trigger": "manual",
    "scheduled_for": AT,
    "status": "queued",
    "reason": None,
    "attempts": 0,
    "available_at": AT,
    "started_at": None,
    "finished_at": None,
    "missed_count": 0,
    "missed_from": None,
}
LOG_ROW: dict[str, Any] = {
    "id": "log_1",
    "job_id": "job_1",
    "execution_id": "exe_1",
    "scheduled_for": AT,
    "attempt": 1,
    "status": "failed",
    "outcome": "http_error",
    "error": "the receiver answered 500",
    "response_status": 500,
    "response_headers": {},
    "response_body": "",
    "response_truncated": False,
    "started_at": AT,
    "duration_ms": 12.5,
    "next_attempt_at": AT,
}
KEY: dict[str, Any] = {
    "id": "key_1",
    "name": "deploy",
    "prefix": "chk_abcdefgh",
    "scopes": ["read"],
    "created_at": AT,
    "expires_at": None,
    "revoked_at": None,
    "last_used_at": None,
}
KEY_MADE = KEY | {"key": "chk_secret"}
PREVIEW: dict[str, Any] = {
    "data": [{"at": AT, "local": "2030-01-31T09:00:00+01:00"}],
    "warnings": [{"code": "uneven_step", "detail": "Uneven."}],
}
WORKSPACE: dict[str, Any] = {
    "id": "wsp_1",
    "name": "default",
    "limits": {
        "max_jobs": 100,
        "max_queued_executions": 100_000,
        "max_queued_executions_per_job": 10_000,
        "max_stored_bytes": 1073741824,
    },
    "usage": {"jobs": 3, "queued_executions": 0, "stored_bytes": 99},
}
SECRET: dict[str, Any] = {"secret": "whsec_c2VjcmV0", "version": 2, "previous_expires_at": None}
HEALTH: dict[str, Any] = {"status": "ok", "checks": [{"name": "database", "status": "ok", "latency_ms": 0.4}]}


def page_of(*items: dict[str, Any], next_cursor: str | None = None) -> dict[str, Any]:
    return {"data": list(items), "next_cursor": next_cursor}


def log_page_of(*rows: dict[str, Any], total: int, offset: int = 0, limit: int = 50) -> dict[str, Any]:
    has_more = offset + len(rows) < total
    return {"data": list(rows), "total": total, "offset": offset, "limit": limit, "has_more": has_more}
