"""The transitions of `cronhook_core.domain.transitions` over a whole batch.

A batch may name an execution twice, name one that is unknown, or hold several executions of one job: each item sees
what those before it did. Repeating a batch returns no changes, because no guard holds any more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

from attrs import field, frozen

from cronhook_core.domain.claim import AttemptReport, ClaimRef, Verdict
from cronhook_core.domain.execution import Attempt, Execution
from cronhook_core.domain.job import InactiveReason
from cronhook_core.domain.retry_policy import GiveUp
from cronhook_core.domain.transitions import Effect, JobState, finish, interrupt, lose, release


@frozen(kw_only=True)
class Rows:
    """What a batch names, as it stands: executions by id, the attempts of its claims, and the executions' jobs."""

    executions: Mapping[str, Execution]
    attempts: Mapping[ClaimRef, Attempt]
    jobs: Mapping[str, JobState]


@frozen(kw_only=True)
class Changes:
    """What to write, and one verdict for each item of the batch, in its order.

    ``job_ends`` by job id, as in `Effect.job_end`. Write ``executions`` first: what of a job that is GONE is queued
    after that, is cancelled.
    """

    verdicts: Sequence[Verdict]
    executions: Mapping[str, Execution] = field(factory=dict)
    attempts: Mapping[ClaimRef, Attempt] = field(factory=dict)
    job_ends: Mapping[str, InactiveReason] = field(factory=dict)


def finish_all(reports: Sequence[AttemptReport], rows: Rows) -> Changes:
    """What results do. A job that one result ends as gone is gone for every other result of the batch."""
    batch = _Batch(rows)
    verdicts: dict[int, Verdict] = {}
    for index, report in sorted(enumerate(reports), key=lambda item: not _says_gone(item[1])):
        ref = ClaimRef(execution_id=report.execution_id, attempt_no=report.attempt_no)
        verdicts[index] = batch.apply(ref, partial(finish, report))
    return batch.changes([verdicts[index] for index in range(len(reports))])


def release_all(refs: Sequence[ClaimRef], rows: Rows, now: datetime) -> Changes:
    """What giving claims back does."""
    batch = _Batch(rows)
    return batch.changes([batch.apply(ref, partial(release, now=now)) for ref in refs])


def interrupt_all(refs: Sequence[ClaimRef], rows: Rows, now: datetime) -> Changes:
    """What cutting off requests in an orderly stop does."""
    batch = _Batch(rows)
    return batch.changes([batch.apply(ref, partial(interrupt, now=now)) for ref in refs])


def lose_all(refs: Sequence[ClaimRef], rows: Rows, now: datetime) -> Changes:
    """What losing claims does."""
    batch = _Batch(rows)
    return batch.changes([batch.apply(ref, partial(lose, now=now)) for ref in refs])


def _says_gone(report: AttemptReport) -> bool:
    return isinstance(report.decision, GiveUp) and report.decision.gone


class _Batch:
    """The rows as they stand after the items so far."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._executions: dict[str, Execution] = {}
        self._attempts: dict[ClaimRef, Attempt] = {}
        self._jobs: dict[str, JobState] = {}
        self._job_ends: dict[str, InactiveReason] = {}

    def apply(self, ref: ClaimRef, rule: Callable[[Execution, Attempt, JobState], Effect]) -> Verdict:
        execution = self._executions.get(ref.execution_id) or self._rows.executions.get(ref.execution_id)
        attempt = self._attempts.get(ref) or self._rows.attempts.get(ref)
        if execution is None or attempt is None:
            status = None if execution is None else execution.status
            return Verdict(execution_id=ref.execution_id, attempt_no=ref.attempt_no, accepted=False, status=status)
        job = self._jobs.get(execution.job_id) or self._rows.jobs[execution.job_id]
        effect = rule(execution, attempt, job)
        self._keep(ref, effect, job)
        return effect.verdict

    def _keep(self, ref: ClaimRef, effect: Effect, job: JobState) -> None:
        if effect.execution is not None:
            self._executions[ref.execution_id] = effect.execution
        if effect.attempt is not None:
            self._attempts[ref] = effect.attempt
        if effect.job_end is not None:
            self._jobs[job.id] = job.ended(effect.job_end)
            self._job_ends[job.id] = effect.job_end

    def changes(self, verdicts: Sequence[Verdict]) -> Changes:
        return Changes(verdicts=verdicts, executions=self._executions, attempts=self._attempts, job_ends=self._job_ends)
