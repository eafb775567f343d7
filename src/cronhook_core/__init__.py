"""Scheduled webhooks that you own: the domain, the engine and its backends."""

from cronhook_core.domain.execution import Attempt, Execution, ExecutionStatus, Trigger
from cronhook_core.domain.job import InactiveReason, Job, JobDefinition, JobStatus
from cronhook_core.domain.retry_policy import RetryPolicy
from cronhook_core.domain.schedule import CronSchedule, OneTimeSchedule, Schedule
from cronhook_core.domain.webhook import Outcome, WebhookRequest, WebhookResult
from cronhook_core.errors import CronhookError

__all__ = [
    "Attempt",
    "CronSchedule",
    "CronhookError",
    "Execution",
    "ExecutionStatus",
    "InactiveReason",
    "Job",
    "JobDefinition",
    "JobStatus",
    "OneTimeSchedule",
    "Outcome",
    "RetryPolicy",
    "Schedule",
    "Trigger",
    "WebhookRequest",
    "WebhookResult",
]
