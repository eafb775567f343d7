"""One occurrence of a job, its attempts, and the words for their states."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from attrs import field, frozen

from cronhook_core.domain.ids import log_id
from cronhook_core.domain.instants import aware, aware_or_none
from cronhook_core.domain.webhook import Outcome

MAX_LOSSES = 3
"""An execution whose workers died under it this often is FAILED: it may be what kills them."""
SUSPECT_LOSSES = 2
"""From this number of losses on, an execution is claimed alone: at most one such per worker."""


class ExecutionStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"

    @property
    def is_final(self) -> bool:
        return self not in (ExecutionStatus.QUEUED, ExecutionStatus.RUNNING)


class Trigger(StrEnum):
    """What made an execution: its job's schedule, a user's ``run``, or the replay of an ended execution."""

    SCHEDULE = "schedule"
    MANUAL = "manual"
    REPLAY = "replay"


@frozen(kw_only=True)
class Execution:
    """One occurrence of a job. It has exactly one row and one fate.

    ``attempt_no`` identifies and fences attempts and only grows; ``retries_used`` is what the retry budget lost;
    ``losses`` counts workers that died under it; ``releases`` counts attempts given back before anything was sent.
    ``available_at`` is when it may be claimed. ``missed_count`` earlier instants, the first of them ``missed_from``,
    passed unplanned and are made up for by this one; the count is capped at 1 000. ``reason`` is one stable word and
    set when it did not succeed.
    """

    id: str
    job_id: str
    workspace_id: str
    host: str
    trigger: Trigger
    scheduled_for: datetime = field(validator=aware)
    status: ExecutionStatus = ExecutionStatus.QUEUED
    reason: str | None = None
    available_at: datetime = field(validator=aware)
    attempt_no: int = 0
    retries_used: int = 0
    losses: int = 0
    releases: int = 0
    worker_id: str | None = None
    created_at: datetime = field(validator=aware)
    started_at: datetime | None = field(default=None, validator=aware_or_none)
    finished_at: datetime | None = field(default=None, validator=aware_or_none)
    missed_count: int = 0
    missed_from: datetime | None = field(default=None, validator=aware_or_none)

    @property
    def attempts(self) -> int:
        """The number of requests made or under way, as the log shows them."""
        return self.attempt_no - self.releases


@frozen(kw_only=True)
class Attempt:
    """One HTTP request made for an execution: one row of the log.

    ``outcome`` is None while it is under way. ``late`` says that the result came after somebody else had taken over and
    therefore changed nothing but this row.
    """

    execution_id: str
    job_id: str
    workspace_id: str
    attempt_no: int
    scheduled_for: datetime = field(validator=aware)
    worker_id: str
    started_at: datetime = field(validator=aware)
    outcome: Outcome | None = None
    late: bool = False
    error: str | None = None
    response_status: int | None = None
    response_headers: tuple[tuple[str, str], ...] = ()
    response_body: str | None = None
    response_truncated: bool = False
    duration: timedelta | None = None
    finished_at: datetime | None = field(default=None, validator=aware_or_none)
    next_attempt_at: datetime | None = field(default=None, validator=aware_or_none)

    @property
    def id(self) -> str:
        return log_id(self.execution_id, self.attempt_no)

    @property
    def status(self) -> str:
        """``running``, ``succeeded``, ``failed``, ``lost`` or ``interrupted``; a late result: ``late_succeeded``."""
        if self.outcome is None:
            return "running"
        told = self.outcome in (Outcome.SUCCEEDED, Outcome.LOST, Outcome.INTERRUPTED, Outcome.RELEASED)
        word = self.outcome.value if told else "failed"
        return f"late_{word}" if self.late else word


@frozen(kw_only=True)
class QueueMessage:
    """A hint that an execution may be claimed. Losing, doubling or inventing one changes nothing.

    ``attempt`` is the number that the next attempt will have, as far as the writer knew.
    """

    execution_id: str
    job_id: str
    workspace_id: str
    host: str
    scheduled_for: datetime
    attempt: int = 1

    @classmethod
    def of(cls, execution: Execution) -> QueueMessage:
        return cls(
            execution_id=execution.id,
            job_id=execution.job_id,
            workspace_id=execution.workspace_id,
            host=execution.host,
            scheduled_for=execution.scheduled_for,
            attempt=execution.attempt_no + 1,
        )
