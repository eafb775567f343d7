"""The right of one worker to run one execution, and what it reports afterwards."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from attrs import field, frozen

from cronhook_core.domain.callback_headers import headers_repr
from cronhook_core.domain.execution import ExecutionStatus, Trigger
from cronhook_core.domain.retry_policy import Decision, RetryPolicy
from cronhook_core.domain.webhook import WebhookResult

MAX_CLAIM_BYTES = 8 * 1024 * 1024
"""What one claim takes by default, at most: all of it has to come within the time that a call of the store has."""


class ClaimRef(NamedTuple):
    """Names one claim: the fence is ``attempt_no``. A tuple, for a worker looks each of them up many times."""

    execution_id: str
    attempt_no: int


@frozen(kw_only=True)
class Claim:
    """Everything that is needed to send, as the job stood when the claim was made."""

    execution_id: str
    attempt_no: int
    job_id: str
    workspace_id: str
    host: str
    trigger: Trigger
    scheduled_for: datetime
    retries_used: int
    losses: int
    callback_url: str
    headers: tuple[tuple[str, str], ...] = field(repr=headers_repr)
    payload: bytes
    timeout: timedelta
    retry_policy: RetryPolicy

    @property
    def ref(self) -> ClaimRef:
        return ClaimRef(execution_id=self.execution_id, attempt_no=self.attempt_no)


@frozen(kw_only=True)
class AttemptReport:
    """What a worker reports of a claim: the result, and what the retry policy made of it."""

    execution_id: str
    attempt_no: int
    job_id: str
    result: WebhookResult
    decision: Decision
    duration: timedelta
    finished_at: datetime


@frozen(kw_only=True)
class Verdict:
    """What a report, a loss, a release or an interruption did to its execution.

    ``accepted`` is False where the fence refused it: somebody else had taken over, or it was a repeat; then ``status``
    is what the execution already was, None when it is not there any more. ``locked``: another transaction holds the
    job; nothing was written, and the same may be reported again.
    """

    execution_id: str
    attempt_no: int
    accepted: bool
    status: ExecutionStatus | None
    reason: str | None = None
    next_attempt_at: datetime | None = None
    locked: bool = False
