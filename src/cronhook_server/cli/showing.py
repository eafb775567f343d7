"""How jobs, executions and log rows look in tables; in JSON they are what the API says."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cronhook_server.cli.table import Column, terminal_width

_UNITS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))
_DATE_BEYOND = 30 * 86400.0

JOBS = (
    Column(header="ID", key="id"),
    Column(header="NAME", key="name", least=12),
    Column(header="STATUS", key="status", rank=1),
    Column(header="SCHEDULE", key="schedule", least=14, rank=2),
    Column(header="NEXT RUN", key="next_run"),
    Column(header="LAST RUN", key="last_run", rank=4),
    Column(header="RESULT", key="last_run_status", rank=3),
    Column(header="URL", key="callback_url", least=24, rank=5),
)
EXECUTIONS = (
    Column(header="ID", key="id"),
    Column(header="TRIGGER", key="trigger", rank=3),
    Column(header="SCHEDULED FOR", key="scheduled_for"),
    Column(header="STATUS", key="status"),
    Column(header="REASON", key="reason", least=8, rank=2),
    Column(header="ATTEMPTS", key="attempts", rank=1),
    Column(header="FINISHED", key="finished_at", rank=4),
)
LOGS = (
    Column(header="STARTED", key="started_at"),
    Column(header="EXECUTION", key="execution_id", rank=2),
    Column(header="TRY", key="attempt"),
    Column(header="STATUS", key="status"),
    Column(header="ANSWER", key="response_status"),
    Column(header="TOOK", key="duration", rank=1),
    Column(header="WHAT HAPPENED", key="what", least=30),
)
KEYS = (
    Column(header="ID", key="id"),
    Column(header="NAME", key="name", least=8),
    Column(header="PREFIX", key="prefix", rank=2),
    Column(header="SCOPES", key="scopes", least=10, rank=1),
    Column(header="STATE", key="state"),
    Column(header="LAST USED", key="last_used_at", rank=3),
    Column(header="CREATED", key="created_at", rank=4),
)


def job_row(job: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    schedule = at(job["run_at"], now) if job["cron"] is None else job["cron"]
    if job["timezone"] not in (None, "UTC"):
        schedule = f"{schedule} {job['timezone']}"
    reason = job["inactive_reason"]
    status = f"{job['status']} ({reason})" if reason else job["status"]
    return {**job, "schedule": schedule, "status": status, **_at(job, ("next_run", "last_run"), now)}


def execution_row(execution: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    return {**execution, **_at(execution, ("scheduled_for", "finished_at"), now)}


def log_row(row: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    took = row["duration_ms"]
    return {
        **row,
        **_at(row, ("started_at",), now),
        "duration": None if took is None else f"{took:.0f} ms",
        "what": row["error"] or row["response_body"] or row["outcome"],
    }


def key_row(key: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    return {**key, "state": _state(key, now), **_at(key, ("last_used_at", "created_at"), now)}


def at(instant: str | None, now: datetime) -> str | None:
    """In a terminal how far off it is, elsewhere the instant itself."""
    if instant is None or terminal_width() is None:
        return instant
    seconds = (datetime.fromisoformat(instant) - now).total_seconds()
    if abs(seconds) > _DATE_BEYOND:
        return instant[:10]
    distance = next(f"{abs(seconds) / size:.0f} {name}" for size, name in _UNITS if abs(seconds) >= size or size == 1)
    return f"in {distance}" if seconds > 0 else f"{distance} ago"


def present() -> datetime:
    return datetime.now(UTC)


def _at(fields: Mapping[str, Any], names: tuple[str, ...], now: datetime) -> dict[str, str | None]:
    return {name: at(fields[name], now) for name in names}


def _state(key: Mapping[str, Any], now: datetime) -> str:
    if key["revoked_at"] is not None and datetime.fromisoformat(key["revoked_at"]) <= now:
        return "revoked"
    if key["expires_at"] is None:
        return "active"
    return "expired" if datetime.fromisoformat(key["expires_at"]) <= now else f"ends {at(key['expires_at'], now)}"
