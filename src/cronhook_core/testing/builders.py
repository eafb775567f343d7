"""Values for tests: valid as they come, each field to be overridden by name. Ids are new with every call."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Any

from attrs import evolve, fields

from cronhook_core.domain.api_key import ApiKey, Scope, digest_of, display_prefix, key_from_bits
from cronhook_core.domain.claim import AttemptReport, Claim, ClaimRef
from cronhook_core.domain.execution import Execution, Trigger
from cronhook_core.domain.idempotency import IdempotentRequest, StoredAnswer
from cronhook_core.domain.ids import new_id, scheduled_execution_id
from cronhook_core.domain.job import Job, JobDefinition, JobStatus
from cronhook_core.domain.planning import DueJob, JobPlan
from cronhook_core.domain.retry_policy import Decision, GiveUp, RetryAt, Succeed
from cronhook_core.domain.schedule import CronSchedule
from cronhook_core.domain.webhook import Outcome, WebhookResult
from cronhook_core.domain.workspace import Workspace

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
"""The instant at which everything here is made unless told otherwise: a Monday's noon."""
MINUTE = timedelta(minutes=1)
PEPPER = b"a pepper for tests only"

_random = Random(20260302)
_numbers = count(1)
_DEFINITION_FIELDS = frozenset(attribute.name for attribute in fields(JobDefinition))


def make_id(prefix: str, at: datetime = NOW) -> str:
    return new_id(prefix, at, _random)


def make_workspace(**changes: Any) -> Workspace:
    made = Workspace(id=make_id("wsp"), name=f"workspace-{next(_numbers)}", created_at=NOW)
    return evolve(made, **changes)


def make_definition(**changes: Any) -> JobDefinition:
    made = JobDefinition(
        name="every minute", schedule=CronSchedule("* * * * *"), callback_url="https://receiver.example/hook"
    )
    return evolve(made, **changes)


def make_job(workspace_id: str, *, created_at: datetime = NOW, **changes: Any) -> Job:
    """An active job whose ``next_run`` follows from its schedule; a definition's fields may be named directly."""
    definition = make_definition(**{name: changes.pop(name) for name in _DEFINITION_FIELDS & changes.keys()})
    active = changes.get("status", JobStatus.ACTIVE) is JobStatus.ACTIVE
    made = Job(
        id=make_id("job", created_at),
        workspace_id=workspace_id,
        definition=definition,
        host="receiver.example",
        status=JobStatus.ACTIVE,
        next_run=definition.schedule.next_after(created_at) if active else None,
        created_at=created_at,
        updated_at=created_at,
    )
    return evolve(made, **changes)


def make_due_job(job: Job | DueJob) -> DueJob:
    """What planning reads of a job that has a ``next_run``."""
    return job if isinstance(job, DueJob) else DueJob.of(job)


def make_execution(
    job: Job | DueJob, *, at: datetime = NOW, trigger: Trigger = Trigger.MANUAL, **changes: Any
) -> Execution:
    """A queued execution for the instant ``at``, available from then on."""
    made = Execution(
        id=scheduled_execution_id(job.id, at) if trigger is Trigger.SCHEDULE else make_id("exe", at),
        job_id=job.id,
        workspace_id=job.workspace_id,
        host=job.host,
        trigger=trigger,
        scheduled_for=at,
        available_at=at,
        created_at=at,
    )
    return evolve(made, **changes)


def make_plan(job: Job | DueJob, **changes: Any) -> JobPlan:
    """The step that queues the job's ``next_run`` and moves it on by its schedule."""
    due = make_due_job(job)
    made = JobPlan(
        job_id=due.id,
        revision=due.revision,
        expected_next_run=due.next_run,
        next_run=due.schedule.next_after(due.next_run),
        planned_through=due.next_run,
        execution=make_execution(job, at=due.next_run, trigger=Trigger.SCHEDULE),
    )
    return evolve(made, **changes)


def make_result(outcome: Outcome = Outcome.SUCCEEDED, **changes: Any) -> WebhookResult:
    status, error = (200, None) if outcome is Outcome.SUCCEEDED else (500, "the receiver answered 500")
    made = WebhookResult(
        outcome=outcome,
        error=error,
        response_status=status,
        response_headers=(("content-type", "text/plain"),),
        response_body="thanks",
    )
    return evolve(made, **changes)


def make_report(claim: Claim | ClaimRef, decision: Decision, at: datetime = NOW, **changes: Any) -> AttemptReport:
    """The report of an attempt that ended at ``at`` as ``decision`` says; ``result`` may be given.

    Of a reference that is no `Claim` the job is unknown, and has to be given where there is one.
    """
    outcome = Outcome.SUCCEEDED if isinstance(decision, Succeed) else Outcome.HTTP_ERROR
    made = AttemptReport(
        execution_id=claim.execution_id,
        attempt_no=claim.attempt_no,
        job_id=claim.job_id if isinstance(claim, Claim) else make_id("job"),
        result=make_result(outcome),
        decision=decision,
        duration=timedelta(milliseconds=125),
        finished_at=at,
    )
    return evolve(made, **changes)


def succeeded(claim: Claim | ClaimRef, at: datetime = NOW, **changes: Any) -> AttemptReport:
    return make_report(claim, Succeed(), at, **changes)


def retry(claim: Claim | ClaimRef, at: datetime = NOW, *, after: timedelta = MINUTE, **changes: Any) -> AttemptReport:
    return make_report(claim, RetryAt(at=at + after), at, **changes)


def gave_up(
    claim: Claim | ClaimRef, at: datetime = NOW, *, reason: str = "retries_exhausted", **changes: Any
) -> AttemptReport:
    return make_report(claim, GiveUp(reason=reason), at, **changes)


def gone(claim: Claim | ClaimRef, at: datetime = NOW) -> AttemptReport:
    """The report of a receiver that answered 410."""
    result = make_result(Outcome.HTTP_ERROR, response_status=410)
    return make_report(claim, GiveUp(reason="gone", gone=True), at, result=result)


def make_key(workspace_id: str, **changes: Any) -> ApiKey:
    text = key_from_bits(_random.getrandbits(256))
    made = ApiKey(
        id=make_id("key"),
        workspace_id=workspace_id,
        name="a key",
        prefix=display_prefix(text),
        digest=digest_of(text, PEPPER),
        scopes=frozenset({Scope.READ, Scope.WRITE}),
        created_at=NOW,
    )
    return evolve(made, **changes)


def answer_with_id(effect: Job | Execution) -> StoredAnswer:
    """An answer that tells which effect it belongs to."""
    return StoredAnswer(status=201, headers=(("location", f"/v1/{effect.id}"),), body=effect.id.encode())


def make_idempotent_request(**changes: Any) -> IdempotentRequest:
    made = IdempotentRequest(
        key=f"key-{next(_numbers)}", path="/v1/jobs", fingerprint=b"\x00fingerprint\xff", answer=answer_with_id
    )
    return evolve(made, **changes)
