"""The bodies of the HTTP API, version 1: everything that a request or an answer may hold."""

from __future__ import annotations

from cronhook_core.wire.account import (
    KeyList,
    KeyMade,
    KeyRead,
    KeyRotate,
    KeyWrite,
    Limits,
    SecretRotate,
    SigningSecretRead,
    Usage,
    WorkspaceRead,
)
from cronhook_core.wire.execution import ExecutionDetail, ExecutionPage, ExecutionRead, LogPage, LogRow
from cronhook_core.wire.health import Health, HealthCheck, HealthStatus
from cronhook_core.wire.job import JobPage, JobRead, JobWrite
from cronhook_core.wire.not_included import NOT_INCLUDED
from cronhook_core.wire.preview import PreviewInstant, PreviewRead, PreviewWarning, PreviewWrite
from cronhook_core.wire.problem import Problem, ProblemItem

__all__ = [
    "NOT_INCLUDED",
    "ExecutionDetail",
    "ExecutionPage",
    "ExecutionRead",
    "Health",
    "HealthCheck",
    "HealthStatus",
    "JobPage",
    "JobRead",
    "JobWrite",
    "KeyList",
    "KeyMade",
    "KeyRead",
    "KeyRotate",
    "KeyWrite",
    "Limits",
    "LogPage",
    "LogRow",
    "PreviewInstant",
    "PreviewRead",
    "PreviewWarning",
    "PreviewWrite",
    "Problem",
    "ProblemItem",
    "SecretRotate",
    "SigningSecretRead",
    "Usage",
    "WorkspaceRead",
]
