"""Executions and log rows as they are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from attrs import fields, frozen

from cronhook_core.domain.execution import Attempt, Execution, ExecutionStatus, Trigger
from cronhook_core.domain.webhook import Outcome

_MILLISECOND = timedelta(milliseconds=1)


@frozen(kw_only=True)
class LogRow:
    """One attempt. ``status`` is a word of `Attempt.status`; ``outcome`` and what follows are None while it runs."""

    id: str
    job_id: str
    execution_id: str
    scheduled_for: datetime
    attempt: int
    status: str
    outcome: Outcome | None
    error: str | None
    response_status: int | None
    response_headers: Mapping[str, str]
    response_body: str | None
    response_truncated: bool
    started_at: datetime
    duration_ms: float | None
    next_attempt_at: datetime | None

    @classmethod
    def of(cls, attempt: Attempt) -> LogRow:
        return cls(
            id=attempt.id,
            job_id=attempt.job_id,
            execution_id=attempt.execution_id,
            scheduled_for=attempt.scheduled_for,
            attempt=attempt.attempt_no,
            status=attempt.status,
            outcome=attempt.outcome,
            error=attempt.error,
            response_status=attempt.response_status,
            response_headers=_joined(attempt.response_headers),
            response_body=attempt.response_body,
            response_truncated=attempt.response_truncated,
            started_at=attempt.started_at,
            duration_ms=None if attempt.duration is None else round(attempt.duration / _MILLISECOND, 1),
            next_attempt_at=attempt.next_attempt_at,
        )


@frozen(kw_only=True)
class LogPage:
    """``total`` counts all rows that match, up to 10 000; null: there are more.

    ``has_more`` says whether some follow this page.
    """

    data: tuple[LogRow, ...]
    total: int | None
    offset: int
    limit: int
    has_more: bool

    @classmethod
    def of(cls, attempts: Sequence[Attempt], *, total: int | None, offset: int, limit: int) -> LogPage:
        """Of ``attempts`` one more than ``limit`` was read, to see whether there are more."""
        rows = tuple(map(LogRow.of, attempts[:limit]))
        return cls(data=rows, total=total, offset=offset, limit=limit, has_more=len(attempts) > limit)


@frozen(kw_only=True)
class ExecutionRead:
    """``attempts`` is their number; ``missed_count`` earlier instants from ``missed_from`` on are made up for."""

    id: str
    job_id: str
    trigger: Trigger
    scheduled_for: datetime
    status: ExecutionStatus
    reason: str | None
    attempts: int
    available_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    missed_count: int
    missed_from: datetime | None

    @classmethod
    def of(cls, execution: Execution) -> ExecutionRead:
        return cls(**_fields(execution))


@frozen(kw_only=True)
class ExecutionDetail(ExecutionRead):
    """One execution with its attempts, the first one first."""

    logs: tuple[LogRow, ...]

    @classmethod
    def with_logs(cls, execution: Execution, attempts: Sequence[Attempt]) -> ExecutionDetail:
        return cls(**_fields(execution), logs=tuple(map(LogRow.of, attempts)))


@frozen(kw_only=True)
class ExecutionPage:
    """Newest first. ``next_cursor`` continues; None: this was the last page."""

    data: tuple[ExecutionRead, ...]
    next_cursor: str | None


_FIELDS = tuple(attribute.name for attribute in fields(ExecutionRead))


def _fields(execution: Execution) -> dict[str, Any]:
    return {name: getattr(execution, name) for name in _FIELDS}


def _joined(headers: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Headers of one name become one, as RFC 9110, section 5.3, lets a recipient do."""
    joined: dict[str, str] = {}
    for name, value in headers:
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined
