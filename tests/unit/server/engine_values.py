"""What the engine hands to its hooks."""

from datetime import timedelta
from random import Random
from typing import Any

from attrs import evolve

from cronhook_core.domain.claim import Claim, Verdict
from cronhook_core.domain.execution import ExecutionStatus, Trigger
from cronhook_core.domain.job import Job
from cronhook_core.domain.retry_policy import RetryPolicy
from cronhook_core.testing.builders import NOW, make_execution

RANDOM = Random(1)


def make_claim(job: Job, **changes: Any) -> Claim:
    made = Claim(
        execution_id=make_execution(job).id,
        attempt_no=1,
        job_id=job.id,
        workspace_id=job.workspace_id,
        host=job.host,
        trigger=Trigger.SCHEDULE,
        scheduled_for=NOW,
        retries_used=0,
        losses=0,
        callback_url=job.definition.callback_url,
        headers=(),
        payload=b"null",
        timeout=timedelta(seconds=10),
        retry_policy=RetryPolicy(),
    )
    return evolve(made, **changes)


def verdict_on(claim: Claim, status: ExecutionStatus, **changes: Any) -> Verdict:
    made = Verdict(execution_id=claim.execution_id, attempt_no=claim.attempt_no, accepted=True, status=status)
    return evolve(made, **changes)
