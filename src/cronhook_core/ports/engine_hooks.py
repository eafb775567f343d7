from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from cronhook_core.domain.claim import AttemptReport, Claim, Verdict
from cronhook_core.domain.planning import JobPlan
from cronhook_core.errors import StoreBusy


class EngineHooks(Protocol):
    """What the engine announces to metrics, logs and tests.

    Contract: hooks are called from the event loop, return at once, do no I/O and raise nothing. Their names are stable.
    """

    def execution_planned(self, plan: JobPlan, now: datetime) -> None:
        """A scheduled instant became an execution; ``plan.execution`` is never None here."""

    def job_unplannable(self, plan: JobPlan, now: datetime) -> None:
        """A job can never be planned again and became inactive; ``plan.inactive_reason`` says why."""

    def attempt_started(self, claim: Claim, now: datetime) -> None:
        """A claimed execution is about to be sent."""

    def attempt_finished(self, claim: Claim, report: AttemptReport, verdict: Verdict) -> None:
        """An attempt's result was written; ``verdict`` says what it did."""

    def executions_lost(self, verdicts: Sequence[Verdict], now: datetime) -> None:
        """Executions were taken from a dead worker; those out of losses are final."""

    def executions_interrupted(self, verdicts: Sequence[Verdict], now: datetime) -> None:
        """Requests were cut off because this worker stopped; what is not queued again was cancelled meanwhile."""

    def executions_released(self, verdicts: Sequence[Verdict], now: datetime) -> None:
        """Claims were given back before anything was sent; what is not queued again was cancelled meanwhile."""

    def worker_registered(self, worker_id: str, now: datetime) -> None:
        """This node's worker is known to the store under this id: a new one after it was taken for dead."""

    def worker_buried(self, worker_id: str, now: datetime) -> None:
        """A worker was declared dead because its beat stopped."""

    def leadership_changed(self, leads: bool, reason: str) -> None:
        """This node began or ceased to lead."""

    def overdue_found(self, overdue: timedelta, jobs: int) -> None:
        """A follower planned what the leader could have planned long ago: the leader is stuck."""

    def zone_rules_changed(self, before: str | None, after: str, moved: int) -> None:
        """The instants of all cron jobs agree with other time zone rules now; those of ``moved`` jobs are others."""

    def jobs_replanned(self, jobs: int) -> None:
        """So many cron jobs, which a wrong clock had planned days ahead, are planned from now on again."""

    def clock_doubted(self, ahead: timedelta) -> None:
        """The clock is so far ahead of when it was last believed; nothing is pruned until it has stood for an hour."""

    def dependency_changed(self, name: str, available: bool) -> None:
        """``database`` or ``queue`` or ``lock`` went away or came back; called only at the change."""

    def store_busy(self, loop: str, error: StoreBusy) -> None:
        """A background loop met a lock that another transaction held for too long; it tries again."""

    def pass_failed(self, loop: str, error: BaseException) -> None:
        """A background loop's pass raised something that no rule foresaw; the loop goes on."""


class NoHooks:
    """Announces to nobody."""

    def execution_planned(self, plan: JobPlan, now: datetime) -> None: ...
    def job_unplannable(self, plan: JobPlan, now: datetime) -> None: ...
    def attempt_started(self, claim: Claim, now: datetime) -> None: ...
    def attempt_finished(self, claim: Claim, report: AttemptReport, verdict: Verdict) -> None: ...
    def executions_lost(self, verdicts: Sequence[Verdict], now: datetime) -> None: ...
    def executions_interrupted(self, verdicts: Sequence[Verdict], now: datetime) -> None: ...
    def executions_released(self, verdicts: Sequence[Verdict], now: datetime) -> None: ...
    def worker_registered(self, worker_id: str, now: datetime) -> None: ...
    def worker_buried(self, worker_id: str, now: datetime) -> None: ...
    def leadership_changed(self, leads: bool, reason: str) -> None: ...
    def overdue_found(self, overdue: timedelta, jobs: int) -> None: ...
    def zone_rules_changed(self, before: str | None, after: str, moved: int) -> None: ...
    def jobs_replanned(self, jobs: int) -> None: ...
    def clock_doubted(self, ahead: timedelta) -> None: ...
    def dependency_changed(self, name: str, available: bool) -> None: ...
    def store_busy(self, loop: str, error: StoreBusy) -> None: ...
    def pass_failed(self, loop: str, error: BaseException) -> None: ...
