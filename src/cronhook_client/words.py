"""The words that arguments take. Each may be written as text or as the member of the enumeration that has it."""

from __future__ import annotations

from typing import Literal, TypeAlias

from cronhook_core.domain.api_key import Scope
from cronhook_core.domain.execution import ExecutionStatus
from cronhook_core.domain.job import JobStatus

JobStatusWord: TypeAlias = JobStatus | Literal["active", "paused", "inactive"]
ExecutionStatusWord: TypeAlias = (
    ExecutionStatus | Literal["queued", "running", "succeeded", "failed", "cancelled", "skipped"]
)
LogStatusWord: TypeAlias = Literal[
    "running", "succeeded", "failed", "lost", "interrupted", "late_succeeded", "late_failed"
]
IncludeWord: TypeAlias = Literal["payload"]
OrderWord: TypeAlias = Literal["asc", "desc"]
ScopeWord: TypeAlias = Scope | Literal["read", "write", "admin"]
