"""What calls return: the models of the API's answers, shared with the server, and the words in them."""

from cronhook_core.domain.api_key import Scope
from cronhook_core.domain.execution import ExecutionStatus, Trigger
from cronhook_core.domain.job import InactiveReason, JobStatus
from cronhook_core.domain.schedule_warnings import WarningCode
from cronhook_core.domain.webhook import Outcome
from cronhook_core.wire.v1 import (
    ExecutionDetail,
    ExecutionPage,
    ExecutionRead,
    Health,
    HealthCheck,
    HealthStatus,
    JobPage,
    JobRead,
    KeyList,
    KeyMade,
    KeyRead,
    Limits,
    LogPage,
    LogRow,
    PreviewInstant,
    PreviewRead,
    PreviewWarning,
    Problem,
    ProblemItem,
    SigningSecretRead,
    Usage,
    WorkspaceRead,
)

__all__ = [
    "ExecutionDetail",
    "ExecutionPage",
    "ExecutionRead",
    "ExecutionStatus",
    "Health",
    "HealthCheck",
    "HealthStatus",
    "InactiveReason",
    "JobPage",
    "JobRead",
    "JobStatus",
    "KeyList",
    "KeyMade",
    "KeyRead",
    "Limits",
    "LogPage",
    "LogRow",
    "Outcome",
    "PreviewInstant",
    "PreviewRead",
    "PreviewWarning",
    "Problem",
    "ProblemItem",
    "Scope",
    "SigningSecretRead",
    "Trigger",
    "Usage",
    "WarningCode",
    "WorkspaceRead",
]
