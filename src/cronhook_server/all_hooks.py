"""Several listeners to the engine as one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from cronhook_core.domain.claim import AttemptReport, Claim, Verdict
from cronhook_core.domain.planning import JobPlan
from cronhook_core.errors import StoreBusy
from cronhook_core.ports.engine_hooks import EngineHooks


class AllHooks:
    """`EngineHooks` that tell each of ``hooks``, in this order."""

    def __init__(self, *hooks: EngineHooks) -> None:
        self._hooks = hooks

    def execution_planned(self, plan: JobPlan, now: datetime) -> None:
        for hooks in self._hooks:
            hooks.execution_planned(plan, now)

    def job_unplannable(self, plan: JobPlan, now: datetime) -> None:
        for hooks in self._hooks:
            hooks.job_unplannable(plan, now)

    def attempt_started(self, claim: Claim, now: datetime) -> None:
        for hooks in self._hooks:
            hooks.attempt_started(claim, now)

    def attempt_finished(self, claim: Claim, report: AttemptReport, verdict: Verdict) -> None:
        for hooks in self._hooks:
            hooks.attempt_finished(claim, report, verdict)

    def executions_lost(self, verdicts: Sequence[Verdict], now: datetime) -> None:
        for hooks in self._hooks:
            hooks.executions_lost(verdicts, now)

    def executions_interrupted(self, verdicts: Sequence[Verdict], now: datetime) -> None:
        for hooks in self._hooks:
            hooks.executions_interrupted(verdicts, now)

    def executions_released(self, verdicts: Sequence[Verdict], now: datetime) -> None:
        for hooks in self._hooks:
            hooks.executions_released(verdicts, now)

    def worker_registered(self, worker_id: str, now: datetime) -> None:
        for hooks in self._hooks:
            hooks.worker_registered(worker_id, now)

    def worker_buried(self, worker_id: str, now: datetime) -> None:
        for hooks in self._hooks:
            hooks.worker_buried(worker_id, now)

    def leadership_changed(self, leads: bool, reason: str) -> None:
        for hooks in self._hooks:
            hooks.leadership_changed(leads, reason)

    def overdue_found(self, overdue: timedelta, jobs: int) -> None:
        for hooks in self._hooks:
            hooks.overdue_found(overdue, jobs)

    def zone_rules_changed(self, before: str | None, after: str, moved: int) -> None:
        for hooks in self._hooks:
            hooks.zone_rules_changed(before, after, moved)

    def jobs_replanned(self, jobs: int) -> None:
        for hooks in self._hooks:
            hooks.jobs_replanned(jobs)

    def clock_doubted(self, ahead: timedelta) -> None:
        for hooks in self._hooks:
            hooks.clock_doubted(ahead)

    def dependency_changed(self, name: str, available: bool) -> None:
        for hooks in self._hooks:
            hooks.dependency_changed(name, available)

    def store_busy(self, loop: str, error: StoreBusy) -> None:
        for hooks in self._hooks:
            hooks.store_busy(loop, error)

    def pass_failed(self, loop: str, error: BaseException) -> None:
        for hooks in self._hooks:
            hooks.pass_failed(loop, error)
